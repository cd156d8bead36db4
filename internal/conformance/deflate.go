package conformance

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// A compression case sends fullTrain messages, or as many as make trainCap
// octets unless the run is uncapped.
const trainCap = 16 << 20

// shortForm gives the length and number of messages of the short form.
func shortForm(length int) (int, int) {
	switch {
	case length <= 4<<10:
		return length, 16
	case length <= 16<<10:
		return length, 3
	}
	return min(length, 64<<10), 2
}

// deflateSizes are the payload lengths and fragment sizes each subgroup of 12
// and 13 walks through.
var deflateSizes = []struct{ length, fragment int }{
	{16, 0}, {64, 0}, {256, 0}, {1 << 10, 0}, {4 << 10, 0}, {8 << 10, 0}, {16 << 10, 0}, {32 << 10, 0}, {64 << 10, 0}, {128 << 10, 0},
	{8 << 10, 256}, {16 << 10, 256}, {32 << 10, 256}, {64 << 10, 256}, {128 << 10, 256},
	{128 << 10, 1 << 10}, {128 << 10, 4 << 10}, {128 << 10, 32 << 10},
}

// bargain is what one subgroup of 13 puts on the table: offers to a server
// target, wishes to a client target.
type bargain struct {
	title          string
	offers, wishes []terms
}

// bargains mirror each other: what the client offers to be asked of the
// server, the server asks of the client. Every offer of group 13 hints that
// this side keeps no context; group 12 gives no hint, and takes its context
// along wherever the server does not ask otherwise.
func bargains() []bargain {
	side := func(noTakeover bool, bits int) (offer, wish terms) {
		offer = terms{clientNoTakeover: true, clientBitsOpen: true, serverNoTakeover: noTakeover, serverBits: bits}
		return offer, terms{clientNoTakeover: noTakeover, clientBits: bits}
	}
	var all []bargain
	for _, choices := range [][]struct {
		noTakeover bool
		bits       int
	}{
		{{false, 0}}, {{true, 0}}, {{false, 9}}, {{false, 15}}, {{true, 9}}, {{true, 15}}, {{true, 9}, {true, 0}, {false, 0}},
	} {
		var b bargain
		for _, choice := range choices {
			offer, wish := side(choice.noTakeover, choice.bits)
			b.offers, b.wishes = append(b.offers, offer), append(b.wishes, wish)
			if b.title != "" {
				b.title += ", or "
			}
			b.title += fmt.Sprintf("no takeover %t, window bits %d", choice.noTakeover, choice.bits)
		}
		all = append(all, b)
	}
	return all
}

// deflateCases are groups 12 and 13: permessage-deflate over several kinds of
// payload, and over several parameters (RFC 7692).
func deflateCases() []Case {
	var cases []Case
	plain := bargain{
		title:  "the default offer",
		offers: []terms{{clientBitsOpen: true}},
		wishes: []terms{{}},
	}
	for kind, corpus := range corpora {
		for i, size := range deflateSizes {
			cases = append(cases, deflateTrain(fmt.Sprintf("12.%d.%d", kind+1, i+1), plain, corpus, size.length, size.fragment))
		}
	}
	for kind, b := range bargains() {
		for i, size := range deflateSizes {
			cases = append(cases, deflateTrain(fmt.Sprintf("13.%d.%d", kind+1, i+1), b, corpora[0], size.length, size.fragment))
		}
	}
	return cases
}

func deflateTrain(id string, b bargain, c corpus, length, fragment int) Case {
	title := fmt.Sprintf("%d messages of %d octets from %s, %s", fullTrain, length, c.name, b.title)
	if fragment > 0 {
		title += fmt.Sprintf(", fragments of %d octets", fragment)
	}
	return Case{ID: id, Title: title, Slow: true, Deflate: true, Run: func(_ context.Context, s *Session) error {
		d := s.openDeflate(b)
		length, count := length, fullTrain
		switch {
		case s.Short:
			length, count = shortForm(length)
		case !s.uncapped:
			count = min(count, trainCap/length)
		}
		for i := 0; i < count && s.err == nil; i++ {
			payload := c.slice(i*length, length)
			s.say(s.fragments(c.opcode, rawpeer.RSV1, d.pack(payload), fragment)...)
			d.want(c.opcode, payload)
		}
		s.cleanClose()
		d.judgeAnswer()
		if s.err == nil {
			s.note = fmt.Sprintf("%d of %d echoes were compressed", d.compressed, count)
		}
		return s.err
	}}
}

// deflater is a session with compression agreed: it packs what goes out and
// judges what comes back.
type deflater struct {
	s          *Session
	terms      agreement
	window     *windowDeflater // for windows under 32 KiB
	full       *flate.Writer
	packed     bytes.Buffer
	inflater   *inflater
	compressed int
}

// openDeflate performs the handshake for a bargain.
func (s *Session) openDeflate(b bargain) *deflater {
	var agreed agreement
	if s.serverTarget() {
		agreed = s.offerDeflate(b.offers...)
	} else {
		agreed = s.acceptDeflate(b.wishes...)
	}
	if s.err != nil {
		return &deflater{s: s}
	}
	return newDeflater(s, agreed)
}

func newDeflater(s *Session, agreed agreement) *deflater {
	d := &deflater{s: s, terms: agreed}
	if d.terms.ourBits < fullWindowBits {
		d.window = newWindowDeflater(d.terms.ourBits, d.terms.ourTakeover)
	} else {
		d.full, _ = flate.NewWriter(&d.packed, flate.BestSpeed) // the level is a valid one
	}
	d.inflater = newInflater(d.terms.theirBits, d.terms.theirTakeover)
	return d
}

// pack compresses one message as agreed.
func (d *deflater) pack(payload []byte) []byte {
	if d.s.err != nil {
		return nil
	}
	if d.window != nil {
		return d.window.message(payload)
	}
	d.packed.Reset()
	if !d.terms.ourTakeover {
		d.full.Reset(&d.packed)
	}
	// A flate.Writer over a bytes.Buffer does not fail.
	_, _ = d.full.Write(payload)
	_ = d.full.Flush()
	return bytes.Clone(bytes.TrimSuffix(d.packed.Bytes(), []byte(deflateTail)))
}

// want waits for the echo of a message, compressed as agreed or not at all.
func (d *deflater) want(opcode byte, payload []byte) {
	s := d.s
	wanted := rawpeer.Event{Opcode: opcode, Payload: payload}
	e, ok := s.want(wanted.String())
	if !ok {
		return
	}
	if e.RSV&rawpeer.RSV1 != 0 {
		d.compressed++
		inflated, err := d.inflater.message(e.Payload, len(payload))
		switch {
		case errors.Is(err, errDeflateTail):
			s.fail(nonStrictf("%v", err))
			return
		case err != nil:
			s.fail(failedf("the echo of %d octets does not inflate as agreed (takeover %t, window bits %d): %v",
				len(payload), d.terms.theirTakeover, d.terms.theirBits, err))
			return
		}
		e.Payload = inflated
	}
	if e.Opcode != opcode || !bytes.Equal(e.Payload, payload) {
		s.fail(failedf("wanted %s, got %s", wanted, e))
	}
}

// judgeAnswer makes a case that went well NonStrict if the answer was lax.
func (d *deflater) judgeAnswer() {
	if d.terms.lax {
		d.s.fail(nonStrictf("the answer leaves out server_max_window_bits"))
	}
}

// say sends a message in a single compressed frame around octets already
// packed.
func (d *deflater) say(opcode byte, packed []byte) {
	if d.s.err == nil {
		d.s.say(d.s.fragments(opcode, rawpeer.RSV1, packed, 0)...)
	}
}
