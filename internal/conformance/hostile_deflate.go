package conformance

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// refusedData are the codes for a compressed message that does not inflate;
// RFC 7692 names none, so both fitting ones are taken.
var refusedData = []uint16{1007, 1002}

// inflationBomb is how much the larger bomb inflates to.
const inflationBomb = 64 << 20

// compressed makes a case that agrees on compression first.
func compressed(id, title string, steps func(s *Session, d *deflater)) Case {
	plain := bargain{offers: []terms{{clientBitsOpen: true}}, wishes: []terms{{}}}
	return Case{ID: id, Title: title, Deflate: true, Run: func(_ context.Context, s *Session) error {
		d := s.openDeflate(plain)
		if s.err == nil {
			steps(s, d)
		}
		return s.err
	}}
}

// hostileDeflateCases attack compressed messages, and play the examples of
// RFC 7692 7.2.3.
func hostileDeflateCases() []Case {
	text, binary, more := rawpeer.OpText, rawpeer.OpBinary, rawpeer.OpContinuation
	malformed := func(id, title, packed string) Case {
		return compressed("H.deflate."+id, title, func(s *Session, d *deflater) {
			d.say(binary, []byte(packed))
			s.wantFailed(refusedData...)
		})
	}
	example := func(id, title, message, packed string) Case {
		return compressed("H.deflate."+id, title, func(s *Session, d *deflater) {
			d.say(text, []byte(packed))
			d.want(text, []byte(message))
			s.cleanClose()
		})
	}
	reserved := func(id string, rsv, opcode byte) Case {
		return compressed("H.deflate."+id, "a reserved bit with no meaning here is a protocol error", func(s *Session, d *deflater) {
			if opcode == more {
				first := s.frame(false, text, d.pack([]byte("hello")))
				first.RSV = rawpeer.RSV1
				s.say(first)
			}
			f := s.frame(true, opcode, nil)
			f.RSV = rsv
			s.say(f)
			s.wantFailed(1002)
		})
	}
	bomb := func(id string, size int) Case {
		return slow(compressed("H.deflate."+id, fmt.Sprintf("%d zeros in one small message are refused", size), func(s *Session, d *deflater) {
			d.say(binary, deflatedZeros(size))
			s.wantFailed(1009)
		}))
	}
	cases := []Case{
		example("fixed", "one block of fixed codes inflates", "Hello", "\xf2\x48\xcd\xc9\xc9\x07\x00"),
		example("stored", "a stored block inflates", "Hello", "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"),
		example("final", "a block marked final inflates", "Hello", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
		example("two-blocks", "two blocks in one message inflate", "Hello", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
		example("empty-stored", "an empty message of one octet inflates", "", "\x00"),
		example("empty-fixed", "an empty message of two octets inflates", "", "\x02\x00"),
		compressed("H.deflate.takeover", "a match into the message before inflates", func(s *Session, d *deflater) {
			d.say(text, []byte("\xf2\x48\xcd\xc9\xc9\x07\x00"))
			d.want(text, []byte("Hello"))
			if d.terms.ourTakeover {
				d.say(text, []byte("\xf2\x00\x11\x00\x00"))
				d.want(text, []byte("Hello"))
			}
			s.cleanClose()
		}),
		compressed("H.deflate.plain-between", "messages without RSV1 are not inflated and leave the context alone", func(s *Session, d *deflater) {
			for i := range 6 {
				message := []byte(fmt.Sprintf("message %d of a mixed train, a mixed train", i))
				if i%2 == 0 {
					d.say(text, d.pack(message))
				} else {
					s.say(s.frame(true, text, message))
				}
				d.want(text, message)
			}
			s.cleanClose()
		}),
		compressed("H.deflate.octets", "a compressed message in fragments of one octet inflates, the ping between is answered", func(s *Session, d *deflater) {
			message := textOf(100)
			frames := s.fragments(text, rawpeer.RSV1, d.pack(message), 1)
			s.say(frames[:3]...)
			s.say(s.ping("between"))
			s.say(frames[3:]...)
			s.wantPong("between")
			d.want(text, message)
			s.cleanClose()
		}),
		compressed("H.deflate.empty-fragments", "empty fragments around a compressed message change nothing", func(s *Session, d *deflater) {
			first := s.frame(false, text, nil)
			first.RSV = rawpeer.RSV1
			s.say(first, s.frame(false, more, d.pack([]byte("in the middle"))), s.frame(true, more, nil))
			d.want(text, []byte("in the middle"))
			s.cleanClose()
		}),
		reserved("rsv1-ping", rawpeer.RSV1, rawpeer.OpPing),
		reserved("rsv1-close", rawpeer.RSV1, rawpeer.OpClose),
		reserved("rsv1-continuation", rawpeer.RSV1, more),
		reserved("rsv2", rawpeer.RSV2, text),
		reserved("rsv3", rawpeer.RSV1|rawpeer.RSV3, text),
		compressed("H.deflate.no-octets", "a compressed message of no octets is refused, or taken for an empty one", func(s *Session, d *deflater) {
			d.say(binary, nil)
			s.say(s.ping("after"))
			e, ok := s.want("an empty echo or a close")
			switch {
			case !ok:
			case e.Opcode == rawpeer.OpClose && slices.Contains(refusedData, e.Code):
				s.say(s.closing(nil))
				s.wantEnd()
			case e.Opcode != binary || e.RSV == 0 && len(e.Payload) != 0:
				s.fail(failedf("wanted an empty echo or a close, got %s", e))
			default:
				s.wantPong("after")
				s.cleanClose()
			}
		}),
		malformed("tail.block-type", "a block of the type that does not exist is refused", "\x06\x00"),
		malformed("tail.stored-length", "a stored block that contradicts its length is refused", "\x00\x05\x00\x05\x00hello\x00"),
		malformed("tail.stored-short", "a stored block that is cut short is refused", "\x00\x64\x00\x9b\xffhello"),
		malformed("tail.distance", "a match that reaches back before the beginning is refused", string(farMatch())),
		malformed("tail.dynamic", "a block whose codes contradict each other is refused", "\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
		malformed("tail.garbage", "garbage after a whole message is refused", "\xf2\x48\xcd\xc9\xc9\x07\x00\x06\xff\xff"),
		bomb("bomb.one-over", MessageLimit+1),
		bomb("bomb.far-over", inflationBomb),
		compressed("H.deflate.utf8-whole", "compressed text that is no UTF-8 is refused", func(s *Session, d *deflater) {
			d.say(text, d.pack([]byte("κ\u1f79σμε\xed\xa0\x80edited")))
			s.wantFailed(1007)
		}),
		compressed("H.deflate.utf8-early", "compressed text is refused at the fragment that makes it impossible", func(s *Session, d *deflater) {
			// Each part is flushed, so that all of it inflates on arrival.
			possible := d.pack([]byte("κ\u1f79σμε "))
			impossible := append([]byte(deflateTail), d.pack([]byte("\xf4\x90"))...)
			first := s.frame(false, text, possible)
			first.RSV = rawpeer.RSV1
			s.say(first)
			s.wantNothing()
			s.say(s.frame(false, more, append(impossible, deflateTail...)))
			s.wantFailedEarly(rawpeer.AppendFrame(nil, s.frame(true, more, []byte{0})), 1007)
		}),
		slow(compressed("H.deflate.large", "a large text is echoed", func(s *Session, d *deflater) {
			length := MessageLimit
			if s.Short {
				length /= shortShrink
			}
			message := corpora[3].slice(0, length)
			d.say(text, d.pack(message))
			d.want(text, message)
			s.cleanClose()
		})),
	}
	for bits := 8; bits <= fullWindowBits; bits++ {
		cases = append(cases, windowCase(bits))
	}
	return cases
}

// windowCase asks for a window and sends what a larger one would compress
// better: whatever comes back must keep to the window.
func windowCase(bits int) Case {
	b := bargain{
		offers: []terms{{clientBitsOpen: true, serverBits: bits}, {clientBits: bits, serverBits: bits, clientNoTakeover: true}},
		wishes: []terms{{clientBits: bits}},
	}
	return Case{
		ID: fmt.Sprintf("H.deflate.window.%d", bits), Title: fmt.Sprintf("window bits %d are agreed to and kept, or fewer", bits), Deflate: true,
		Run: func(_ context.Context, s *Session) error {
			d := s.openDeflate(b)
			// Copies at half, once and twice the window.
			window := 1 << bits
			unit := binaryOf(3 * window)
			for _, message := range [][]byte{
				bytes.Repeat(unit[:window/2], 6), bytes.Repeat(unit[:window], 3), bytes.Repeat(unit[:window*2], 2), unit, unit,
			} {
				d.say(rawpeer.OpBinary, d.pack(message))
				d.want(rawpeer.OpBinary, message)
			}
			s.cleanClose()
			d.judgeAnswer()
			return s.err
		},
	}
}

// deflatedZeros packs n zeros into about n/159 octets, by hand: one literal,
// then the longest match at distance one, over and over.
func deflatedZeros(n int) []byte {
	d := newWindowDeflater(fullWindowBits, false)
	d.put(1<<1, 3)
	d.putLiteral(0)
	for n--; n > 0; {
		length := min(n, matchMax)
		if rest := n - length; rest > 0 && rest < 3 {
			length -= 3 // no match is shorter than three octets
		}
		if length < 3 {
			d.putLiteral(0)
			length = 1
		} else {
			d.putMatch(1, length)
		}
		n -= length
	}
	return d.end()
}

// farMatch is a literal and a match far before it.
func farMatch() []byte {
	d := newWindowDeflater(fullWindowBits, false)
	d.put(1<<1, 3)
	d.putLiteral('a')
	d.putMatch(100, 10)
	return d.end()
}

// hostileOfferCases send a server offers it must not take.
func hostileOfferCases() []Case {
	declined := func(id, offer string) Case {
		return Case{
			ID: "H.offer." + id, Title: "an offer with a wrong parameter is declined, or the handshake refused", Only: RoleServer, Deflate: true,
			Run: func(_ context.Context, s *Session) error {
				head := rawpeer.RequestHead(s.host(), s.path(), rawpeer.NewHandshakeKey(), extensionHeader(offer))
				response := s.exchange(head, 0)
				switch {
				case s.err != nil:
					return s.err
				case response.Status == 400:
					return nil
				case response.Status != 101:
					return failedf("status %d, want 101 without the extension, or 400", response.Status)
				case len(extensions(response.Header)) != 0:
					return failedf("answered %q to the offer %q", response.Header.Values("Sec-WebSocket-Extensions"), offer)
				}
				s.say(s.text("without compression"))
				s.wantText("without compression")
				s.cleanClose()
				return s.err
			},
		}
	}
	lawful := func(id, title, offer string, allowed terms) Case {
		return Case{ID: "H.offer." + id, Title: title, Only: RoleServer, Deflate: true, Run: func(_ context.Context, s *Session) error {
			response := s.request(extensionHeader(offer))
			if s.err != nil {
				return s.err
			}
			answered := extensions(response.Header)
			if len(answered) == 0 {
				s.decline("the server declined " + offer)
				return s.err
			}
			if len(answered) > 1 || answered[0][0] != extensionName {
				return failedf("answered %q to the offer %q", response.Header.Values("Sec-WebSocket-Extensions"), offer)
			}
			answer, err := parseTerms(answered[0][1:], true)
			if err != nil {
				return err
			}
			if !answer.answers(allowed) {
				return failedf("answer %q does not keep to the offer %q", answer, offer)
			}
			s.cleanClose()
			return s.err
		}}
	}
	return []Case{
		declined("server-bits-7", "permessage-deflate; server_max_window_bits=7"),
		declined("server-bits-16", "permessage-deflate; server_max_window_bits=16"),
		declined("server-bits-zero-led", "permessage-deflate; server_max_window_bits=08"),
		declined("server-bits-empty", "permessage-deflate; server_max_window_bits"),
		declined("server-bits-word", "permessage-deflate; server_max_window_bits=ten"),
		declined("client-bits-7", "permessage-deflate; client_max_window_bits=7"),
		declined("client-bits-16", "permessage-deflate; client_max_window_bits=16"),
		declined("takeover-valued", "permessage-deflate; server_no_context_takeover=1"),
		declined("twice", "permessage-deflate; server_no_context_takeover; server_no_context_takeover"),
		declined("unknown-parameter", "permessage-deflate; unheard_of"),
		declined("unknown-extension", "x-unheard-of; a=b"),
		lawful("plain", "a plain offer gets no client_max_window_bits", "permessage-deflate", terms{}),
		lawful("second", "a wrong offer first does not spoil the one behind it", "permessage-deflate; unheard_of, permessage-deflate", terms{}),
		lawful("other-first", "an unknown extension first is passed over", "x-unheard-of, permessage-deflate; client_max_window_bits", terms{clientBitsOpen: true}),
		lawful("client-bits", "the client's window is not widened", "permessage-deflate; client_max_window_bits=10", terms{clientBits: 10}),
		lawful("server-bits", "the server's window is not widened", "permessage-deflate; server_max_window_bits=10", terms{serverBits: 10}),
		lawful("quoted", "a quoted value is a value", `permessage-deflate; server_max_window_bits="12"`, terms{serverBits: 12}),
	}
}

// hostileAnswerCases answer a client's offer in ways it must not accept.
func hostileAnswerCases() []Case {
	rejected := func(id, title string, build func(offer terms) (answer string, applies bool)) Case {
		return Case{ID: "H.answer." + id, Title: title, Only: RoleClient, Deflate: true, Run: func(_ context.Context, s *Session) error {
			request := s.readRequest()
			if s.err != nil {
				return s.err
			}
			var offers []terms
			for _, element := range extensions(request.Header) {
				if element[0] == extensionName {
					offer, err := parseTerms(element[1:], false)
					s.fail(err)
					offers = append(offers, offer)
				}
			}
			if len(offers) == 0 {
				s.sayRaw(s.answerHead(request, ""), 0)
				s.decline("the client does not offer permessage-deflate")
				return s.err
			}
			answer, applies := build(offers[0])
			for _, offer := range offers[1:] {
				// One answer must be wrong for every offer.
				again, also := build(offer)
				applies = applies && also && again == answer
			}
			if !applies {
				s.sayRaw(s.answerHead(request, ""), 0)
				s.cleanClose()
				s.note = "the client's offer leaves no room for this answer"
				return s.err
			}
			s.sayRaw(s.answerHead(request, answer), 0)
			s.wantRejected()
			return s.err
		}}
	}
	fixed := func(id, title, answer string) Case {
		return rejected(id, title, func(terms) (string, bool) { return answer, true })
	}
	return []Case{
		fixed("server-bits-16", "a server window of 16 bits is not accepted", "permessage-deflate; server_max_window_bits=16"),
		fixed("server-bits-7", "a server window of 7 bits is not accepted", "permessage-deflate; server_max_window_bits=7"),
		fixed("client-bits-16", "a client window of 16 bits is not accepted", "permessage-deflate; client_max_window_bits=16"),
		fixed("client-bits-empty", "a client window without a value is not accepted", "permessage-deflate; client_max_window_bits"),
		fixed("takeover-valued", "a flag with a value is not accepted", "permessage-deflate; server_no_context_takeover=1"),
		fixed("unknown-parameter", "a parameter nobody defined is not accepted", "permessage-deflate; unheard_of"),
		fixed("twice", "a parameter given twice is not accepted", "permessage-deflate; server_no_context_takeover; server_no_context_takeover"),
		fixed("two", "the extension answered twice is not accepted", "permessage-deflate, permessage-deflate"),
		fixed("other", "another extension besides is not accepted", "permessage-deflate, x-unheard-of"),
		rejected("server-bits-widened", "a server window larger than offered is not accepted", func(offer terms) (string, bool) {
			return fmt.Sprintf("permessage-deflate; server_max_window_bits=%d", offer.serverBits+1), offer.serverBits > 0 && offer.serverBits < fullWindowBits
		}),
		rejected("client-bits-widened", "a client window larger than offered is not accepted", func(offer terms) (string, bool) {
			return fmt.Sprintf("permessage-deflate; client_max_window_bits=%d", offer.clientBits+1), offer.clientBits > 0 && offer.clientBits < fullWindowBits
		}),
		rejected("client-bits-unoffered", "a client window that was not offered is not accepted", func(offer terms) (string, bool) {
			return "permessage-deflate; client_max_window_bits=12", !offer.clientBitsOpen && offer.clientBits == 0
		}),
		rejected("server-takeover-missing", "an answer that leaves out the requested no takeover is not accepted", func(offer terms) (string, bool) {
			return extensionName, offer.serverNoTakeover
		}),
	}
}
