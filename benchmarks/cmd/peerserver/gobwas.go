package main

import (
	"bufio"
	"compress/flate"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// serveGobwas uses github.com/gobwas/ws at its lower level, with its zero-copy
// upgrade and no net/http. The documented loop reads and writes in five system
// calls; a buffered reader and one buffer for header and payload make it two.
func serveGobwas(s settings) error {
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	var everyone members[chan []byte]
	for {
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = c.Close() }()
			g := &gobwas{conn: c, deflate: s.deflate}
			if s.broadcast {
				g.everyone = &everyone
			}
			_ = g.serve() // the end of a connection is no news
		}()
	}
}

type gobwas struct {
	conn     net.Conn
	deflate  bool
	everyone *members[chan []byte]
	packed   packer
	out      []byte
	payload  []byte
}

var (
	errTooLong      = errors.New("message is too long")
	errNotAgreed    = errors.New("compression is not agreed")
	errCloseArrived = errors.New("close frame arrived")
)

func (g *gobwas) serve() error {
	extension := wsflate.Extension{Parameters: wsflate.DefaultParameters}
	upgrader := ws.Upgrader{}
	if g.deflate {
		upgrader.Negotiate = extension.Negotiate
	}
	if _, err := upgrader.Upgrade(g.conn); err != nil {
		return err
	}
	if _, agreed := extension.Accepted(); g.deflate && !agreed {
		return errNotAgreed
	}
	if g.everyone != nil {
		to := make(chan []byte, queue)
		g.everyone.add(to)
		defer close(to) // after remove nobody sends
		defer g.everyone.remove(to)
		go g.write(to)
	}
	reader := bufio.NewReader(g.conn)
	for {
		h, err := ws.ReadHeader(reader)
		if err != nil {
			return err
		}
		if h.Length > maxMessage {
			return errTooLong
		}
		if int64(cap(g.payload)) < h.Length {
			g.payload = make([]byte, h.Length)
		}
		p := g.payload[:h.Length]
		if _, err = io.ReadFull(reader, p); err != nil {
			return err
		}
		if h.Masked {
			ws.Cipher(p, h.Mask, 0)
			h.Masked, h.Mask = false, [4]byte{}
		}
		if err = g.handle(h, p); err != nil {
			return err
		}
	}
}

func (g *gobwas) handle(h ws.Header, p []byte) error {
	compressed := h.Rsv1()
	var err error
	switch {
	case h.OpCode == ws.OpPing:
		h.OpCode = ws.OpPong
	case h.OpCode == ws.OpPong:
		return nil
	case compressed && !g.deflate:
		return errNotAgreed
	case compressed:
		if p, err = g.packed.again(p); err != nil {
			return err
		}
		h.Length = int64(len(p))
	}
	w := sliceWriter(g.out[:0])
	if err = ws.WriteHeader(&w, h); err != nil {
		return err
	}
	g.out = append(w, p...)
	if g.everyone != nil && h.OpCode.IsData() {
		frame := append([]byte(nil), g.out...)
		g.everyone.each(func(to chan []byte) {
			select {
			case to <- frame:
			default: // the load generator reports what is missing
			}
		})
		return nil
	}
	if _, err = g.conn.Write(g.out); err == nil && h.OpCode == ws.OpClose {
		err = errCloseArrived
	}
	return err
}

func (g *gobwas) write(frames <-chan []byte) {
	for frame := range frames {
		if _, err := g.conn.Write(frame); err != nil {
			return
		}
	}
}

type sliceWriter []byte

// Write appends p and never fails.
func (w *sliceWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

// packer inflates and compresses again with the library's reader and writer,
// which are borrowed from a pool: nothing is carried from message to message.
type packer struct{ plain, packed []byte }

var (
	writers = sync.Pool{New: func() any {
		return wsflate.NewWriter(nil, func(w io.Writer) wsflate.Compressor {
			c, _ := flate.NewWriter(w, flate.BestSpeed) // fails for a wrong level only
			return c
		})
	}}
	readers = sync.Pool{New: func() any {
		return wsflate.NewReader(nil, func(r io.Reader) wsflate.Decompressor { return flate.NewReader(r) })
	}}
)

func (p *packer) again(compressed []byte) ([]byte, error) {
	source := byteSource(compressed)
	r := readers.Get().(*wsflate.Reader)
	defer readers.Put(r)
	r.Reset(&source)
	var err error
	if p.plain, err = readAll(io.LimitReader(r, maxMessage+1), p.plain); err != nil {
		return nil, err
	}
	if len(p.plain) > maxMessage {
		return nil, errTooLong
	}
	to := sliceWriter(p.packed[:0])
	w := writers.Get().(*wsflate.Writer)
	defer writers.Put(w)
	w.Reset(&to)
	if _, err = w.Write(p.plain); err == nil {
		err = w.Flush()
	}
	p.packed = to
	return p.packed, err
}

// byteSource reads a slice; ReadByte keeps the inflater from buffering it.
type byteSource []byte

// Read takes bytes off the slice.
func (s *byteSource) Read(p []byte) (int, error) {
	if len(*s) == 0 {
		return 0, io.EOF
	}
	n := copy(p, *s)
	*s = (*s)[n:]
	return n, nil
}

// ReadByte takes one byte off the slice.
func (s *byteSource) ReadByte() (byte, error) {
	if len(*s) == 0 {
		return 0, io.EOF
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return b, nil
}
