package conformance

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// corpus is a deterministic body of data that compression cases cut their
// messages from.
type corpus struct {
	name   string
	opcode byte
	bytes  func() []byte
}

// corpora have the kinds and sizes the list asks for; the contents are made
// up.
var corpora = []corpus{
	{"a JSON document", rawpeer.OpText, sync.OnceValue(func() []byte { return fill(194056, jsonRecord) })},
	{"a grey bitmap", rawpeer.OpBinary, sync.OnceValue(bitmap)},
	{"a German poem", rawpeer.OpBinary, sync.OnceValue(func() []byte { return fill(222218, verse) })},
	{"an HTML page", rawpeer.OpText, sync.OnceValue(func() []byte { return fill(263647, tableRow) })},
	{"a print document", rawpeer.OpBinary, sync.OnceValue(func() []byte { return fill(1042328, printObject) })},
}

// slice returns n octets from the offset on, starting over at the end. Text
// stays valid UTF-8.
func (c corpus) slice(offset, n int) []byte {
	body := c.bytes()
	cut := make([]byte, 0, n)
	for len(cut) < n {
		offset %= len(body)
		part := body[offset:min(len(body), offset+n-len(cut))]
		cut = append(cut, part...)
		offset += len(part)
	}
	if c.opcode == rawpeer.OpText {
		return blunt(cut)
	}
	return cut
}

// fill repeats a writer until n octets are there.
func fill(n int, write func(b *strings.Builder, r *rand.Rand)) []byte {
	r := rand.New(rand.NewPCG(6455, 7692))
	var b strings.Builder
	for b.Len() < n {
		write(&b, r)
	}
	return blunt([]byte(b.String()[:n]))
}

func jsonRecord(b *strings.Builder, r *rand.Rand) {
	fmt.Fprintf(b, `{"id":%d,"name":%q,"active":%t,"balance":%.2f,"tags":[%q,%q],"at":"20%02d-%02d-%02dT%02d:00:00Z"},`,
		r.IntN(1e6), word(r)+" "+word(r), r.IntN(2) == 0, r.Float64()*1e4, word(r), word(r), r.IntN(30), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24))
}

func verse(b *strings.Builder, r *rand.Rand) {
	for range 5 + r.IntN(4) {
		b.WriteString(word(r))
		b.WriteByte(' ')
	}
	b.WriteString("und\r\n")
}

func tableRow(b *strings.Builder, r *rand.Rand) {
	fmt.Fprintf(b, "<tr class=\"row-%d\"><td>%s</td><td><a href=\"/%s/%d\">%s €</a></td></tr>\n", r.IntN(2), word(r), word(r), r.IntN(1000), word(r))
}

// printObject alternates drawing commands with octets that do not compress.
func printObject(b *strings.Builder, r *rand.Rand) {
	n := 100 + r.IntN(900)
	fmt.Fprintf(b, "%d 0 obj\n<< /Length %d >>\nstream\nBT /F1 %d Tf\n", r.IntN(1000), n, 8+r.IntN(8))
	for range 10 + r.IntN(30) {
		fmt.Fprintf(b, "1 0 0 1 %d.%d %d Tm (%s) Tj\n", r.IntN(500), r.IntN(100), r.IntN(800), word(r))
	}
	b.WriteString("ET\nendstream\nendobj\nstream\n")
	for range n {
		b.WriteByte(byte(r.Uint32()))
	}
	b.WriteString("\nendstream\nendobj\n")
}

func word(r *rand.Rand) string {
	syllables := [...]string{"ge", "wan", "del", "schö", "lich", "für", "ster", "nacht", "weiß", "mut", "her", "zen", "über", "tag", "lie", "der"}
	var b strings.Builder
	for range 1 + r.IntN(3) {
		b.WriteString(syllables[r.IntN(len(syllables))])
	}
	return b.String()
}

// bitmap is a header, a palette, and 512 rows of soft shades with a little
// noise.
func bitmap() []byte {
	const side, head = 512, 1078
	r := rand.New(rand.NewPCG(512, 8))
	b := make([]byte, head, head+side*side)
	copy(b, "BM")
	for i := range 256 {
		copy(b[54+4*i:], []byte{byte(i), byte(i), byte(i), 0})
	}
	for y := range side {
		for x := range side {
			shade := (x+y)/8 + x*y/4096
			if r.IntN(16) == 0 {
				shade += r.IntN(4)
			}
			b = append(b, byte(shade))
		}
	}
	return b
}
