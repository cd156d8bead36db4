package codec

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/tandem-ws/tandem/wscore"
)

// Contender is one way to do what a row asks.
type Contender struct {
	Name string
	Run  func(b *testing.B)
}

// PlainCopy is what masking is held against; it is no contender.
const PlainCopy = "plain copy"

// Row is one task and everyone who does it, Tandem first.
type Row struct {
	Name       string
	Bytes      int // payload of one operation, 0 where that says nothing
	Contenders []Contender
}

// Rows returns the whole comparison.
func Rows() []Row {
	var rows []Row
	for _, size := range []int{128, 1 << 10, 64 << 10, 1 << 20} {
		rows = append(rows, echoRow("echo "+SizeName(size), Bytes(size), false, false))
	}
	rows = append(rows,
		echoRow("echo 128 B, one frame a read", Bytes(128), true, false),
		echoRow("echo 1 KiB of JSON, deflate", JSON(1<<10), false, true),
		Row{"compress 1 KiB of JSON", 1 << 10, CompressContenders(JSON(1 << 10))},
		Row{"inflate 1 KiB of JSON", 1 << 10, InflateContenders(JSON(1 << 10))},
		headerParseRow(), headerPutRow(),
	)
	for _, size := range []int{16, 128, 1 << 10, 64 << 10} {
		rows = append(rows, maskRow(size))
	}
	for _, kind := range []string{"ASCII", "JSON", "CJK", "emoji"} {
		for _, size := range []int{16, 128, 1 << 10, 64 << 10} {
			rows = append(rows, textRow(kind, size))
		}
	}
	return rows
}

// SizeName writes a number of bytes with its unit.
func SizeName(size int) string {
	switch {
	case size >= 1<<20:
		return fmt.Sprintf("%d MiB", size>>20)
	case size >= 1<<10:
		return fmt.Sprintf("%d KiB", size>>10)
	}
	return fmt.Sprintf("%d B", size)
}

func echoRow(name string, payload []byte, oneARead, deflate bool) Row {
	row := Row{Name: name, Bytes: len(payload)}
	frame := ClientFrame(payload, false)
	if deflate {
		frame = ClientFrame(Deflated(payload), true)
	}
	for _, peer := range Peers {
		if deflate && !peer.Deflates {
			continue
		}
		row.Contenders = append(row.Contenders, Contender{peer.Name, func(b *testing.B) {
			stream := NewStream(frame)
			stream.OneARead = oneARead
			run, err := peer.Open(stream, deflate)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer() // the handshake is not measured
			if err := runEcho(peer, run, stream, b.N, len(payload), deflate); err != nil {
				b.Fatal(err)
			}
		}})
	}
	return row
}

func headerParseRow() Row {
	frame := ClientFrame(Bytes(1024), false)
	return Row{"header parse", 0, []Contender{
		{Tandem, func(b *testing.B) {
			for b.Loop() {
				if h, _, err := wscore.ParseHeader(frame); err != nil || h.Length != 1024 {
					b.Fatal(h, err)
				}
			}
		}},
		{"gobwas", func(b *testing.B) {
			r := bytes.NewReader(frame)
			for b.Loop() {
				r.Reset(frame)
				if h, err := ws.ReadHeader(r); err != nil || h.Length != 1024 {
					b.Fatal(h, err)
				}
			}
		}},
	}}
}

func headerPutRow() Row {
	return Row{"header put", 0, []Contender{
		{Tandem, func(b *testing.B) {
			var p [wscore.MaxHeaderSize]byte
			for b.Loop() {
				if n := (wscore.Header{Fin: true, Opcode: wscore.OpBinary, Length: 1024}).Put(p[:]); n != 4 {
					b.Fatal(n)
				}
			}
		}},
		{"gobwas", func(b *testing.B) {
			w := NewStream(nil)
			for b.Loop() {
				if err := ws.WriteHeader(w, ws.Header{Fin: true, OpCode: ws.OpBinary, Length: 1024}); err != nil {
					b.Fatal(err)
				}
			}
		}},
	}}
}

func maskRow(size int) Row {
	p, from := make([]byte, size), Bytes(size)
	return Row{"mask " + SizeName(size), size, []Contender{
		{Tandem, func(b *testing.B) {
			for b.Loop() {
				wscore.Mask(p, 0x3D21FA37)
			}
		}},
		{"gobwas", func(b *testing.B) {
			for b.Loop() {
				ws.Cipher(p, [4]byte{0x37, 0xFA, 0x21, 0x3D}, 0)
			}
		}},
		{PlainCopy, func(b *testing.B) {
			for b.Loop() {
				copy(p, from)
			}
		}},
	}}
}

func textRow(kind string, size int) Row {
	p := Text(kind, size)
	return Row{"UTF-8 " + kind + " " + SizeName(size), len(p), []Contender{
		{Tandem, func(b *testing.B) {
			var v wscore.TextValidator
			for b.Loop() {
				if v.Reset(); !v.Write(p) || !v.Complete() {
					b.Fatal("not valid")
				}
			}
		}},
		{"unicode/utf8 (gws)", func(b *testing.B) {
			for b.Loop() {
				if !utf8.Valid(p) {
					b.Fatal("not valid")
				}
			}
		}},
		{"gobwas wsutil", func(b *testing.B) {
			source := bytes.NewReader(p)
			out := make([]byte, len(p))
			for b.Loop() {
				source.Reset(p)
				r := wsutil.NewUTF8Reader(source)
				if _, err := r.Read(out); err != nil || !r.Valid() {
					b.Fatal("not valid", err)
				}
			}
		}},
	}}
}
