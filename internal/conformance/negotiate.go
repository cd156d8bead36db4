package conformance

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

const (
	extensionName  = "permessage-deflate"
	fullWindowBits = 15
)

// terms are the parameters of permessage-deflate in an offer or an answer
// (RFC 7692 7.1).
type terms struct {
	serverNoTakeover bool
	clientNoTakeover bool
	serverBits       int  // 0 when absent
	clientBits       int  // 0 when absent or without a value
	clientBitsOpen   bool // client_max_window_bits without a value
}

// String writes the terms as they stand in a header.
func (t terms) String() string {
	parts := []string{extensionName}
	if t.clientNoTakeover {
		parts = append(parts, "client_no_context_takeover")
	}
	if t.clientBitsOpen {
		parts = append(parts, "client_max_window_bits")
	}
	if t.clientBits > 0 {
		parts = append(parts, "client_max_window_bits="+strconv.Itoa(t.clientBits))
	}
	if t.serverNoTakeover {
		parts = append(parts, "server_no_context_takeover")
	}
	if t.serverBits > 0 {
		parts = append(parts, "server_max_window_bits="+strconv.Itoa(t.serverBits))
	}
	return strings.Join(parts, "; ")
}

// agreement is what both sides of a connection must keep to.
type agreement struct {
	ourTakeover, theirTakeover bool
	ourBits, theirBits         int
	// lax is set when the answer keeps to the offer but leaves out that it
	// does: RFC 7692 7.1.2.1 wants server_max_window_bits answered.
	lax bool
}

// extensions splits a Sec-WebSocket-Extensions header into its elements and
// each into its name and parameters. Values with commas or semicolons do not
// occur in what this package reads.
func extensions(h http.Header) [][]string {
	var all [][]string
	for _, value := range h.Values("Sec-WebSocket-Extensions") {
		for element := range strings.SplitSeq(value, ",") {
			var parts []string
			for part := range strings.SplitSeq(element, ";") {
				parts = append(parts, strings.TrimSpace(part))
			}
			if len(parts) > 1 || parts[0] != "" {
				all = append(all, parts)
			}
		}
	}
	return all
}

// parseTerms reads the parameters of one permessage-deflate element. Unknown,
// repeated and out-of-range parameters are refused.
func parseTerms(parameters []string, answer bool) (terms, error) {
	var t terms
	seen := map[string]bool{}
	for _, parameter := range parameters {
		name, value, hasValue := strings.Cut(parameter, "=")
		name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`)
		if seen[name] {
			return t, failedf("parameter %s is given twice", name)
		}
		seen[name] = true
		var err error
		switch name {
		case "server_no_context_takeover", "client_no_context_takeover":
			if hasValue {
				return t, failedf("parameter %s takes no value, got %q", name, value)
			}
			if name[0] == 's' {
				t.serverNoTakeover = true
			} else {
				t.clientNoTakeover = true
			}
		case "server_max_window_bits":
			t.serverBits, err = windowBits(name, value)
		case "client_max_window_bits":
			if !hasValue && !answer {
				t.clientBitsOpen = true
			} else {
				t.clientBits, err = windowBits(name, value)
			}
		default:
			err = failedf("parameter %q is unknown", parameter)
		}
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

func windowBits(name, value string) (int, error) {
	bits, err := strconv.Atoi(value)
	if err != nil || bits < 8 || bits > fullWindowBits || strconv.Itoa(bits) != value {
		return 0, failedf("parameter %s must be 8 to 15, got %q", name, value)
	}
	return bits, nil
}

// answers reports whether an answer is lawful for an offer. A server may
// volunteer server parameters and client_no_context_takeover, but never
// client_max_window_bits (RFC 7692 7.1.2.2).
func (t terms) answers(offer terms) bool {
	switch {
	case offer.serverNoTakeover && !t.serverNoTakeover:
		return false
	case offer.serverBits > 0 && bitsOr(t.serverBits, 0) > offer.serverBits:
		return false
	case t.clientBits > 0 && !offer.clientBitsOpen && offer.clientBits == 0:
		return false
	case t.clientBits > 0 && offer.clientBits > 0 && t.clientBits > offer.clientBits:
		return false
	}
	return true
}

// offerDeflate performs the handshake with a server target, offering each of
// the terms, and returns what was agreed.
func (s *Session) offerDeflate(offers ...terms) agreement {
	written := make([]string, len(offers))
	for i, offer := range offers {
		written[i] = offer.String()
	}
	response := s.request(extensionHeader(strings.Join(written, ", ")))
	if s.err != nil {
		return agreement{}
	}
	answered := extensions(response.Header)
	if len(answered) == 0 {
		s.decline("the server declined " + strings.Join(written, ", "))
		return agreement{}
	}
	if len(answered) > 1 || answered[0][0] != extensionName {
		s.fail(failedf("answered %q to %q", response.Header.Values("Sec-WebSocket-Extensions"), written))
		return agreement{}
	}
	answer, err := parseTerms(answered[0][1:], true)
	s.fail(err)
	for _, offer := range offers {
		if answer.answers(offer) {
			return s.agree(agreement{
				// A client that gave the hint keeps its word (7.1.1.2).
				ourTakeover:   !answer.clientNoTakeover && !offer.clientNoTakeover,
				ourBits:       bitsOr(answer.clientBits, offer.clientBits),
				theirTakeover: !answer.serverNoTakeover,
				theirBits:     bitsOr(answer.serverBits, 0),
				lax:           offer.serverBits > 0 && answer.serverBits == 0,
			})
		}
	}
	s.fail(failedf("answer %q keeps to none of the offers %q", answer, written))
	return agreement{}
}

// acceptDeflate performs the handshake with a client target, whose offers are
// met with the first of the wishes that one of them allows. A wish speaks of
// the client's parameters; the server's are those the client asks for.
func (s *Session) acceptDeflate(wishes ...terms) agreement {
	request := s.readRequest()
	if s.err != nil {
		return agreement{}
	}
	var offers []terms
	for _, element := range extensions(request.Header) {
		if element[0] == extensionName {
			offer, err := parseTerms(element[1:], false)
			s.fail(err)
			offers = append(offers, offer)
		}
	}
	for _, wish := range wishes {
		for _, offer := range offers {
			if s.err != nil {
				return agreement{}
			}
			answer := wish
			answer.serverNoTakeover, answer.serverBits = offer.serverNoTakeover, offer.serverBits
			if offer.clientBits > 0 && wish.clientBits > offer.clientBits {
				answer.clientBits = offer.clientBits
			}
			if !answer.answers(offer) {
				continue
			}
			s.sayRaw(s.answerHead(request, answer.String()), 0)
			return s.agree(agreement{
				ourTakeover:   !answer.serverNoTakeover,
				ourBits:       bitsOr(answer.serverBits, 0),
				theirTakeover: !answer.clientNoTakeover,
				theirBits:     bitsOr(answer.clientBits, offer.clientBits),
			})
		}
	}
	s.sayRaw(s.answerHead(request, ""), 0)
	s.decline("no offer of the client allows " + wishes[0].String())
	return agreement{}
}

// agree lets compressed messages in.
func (s *Session) agree(a agreement) agreement {
	s.peer.AllowRSV = rawpeer.RSV1
	return a
}

// decline ends a case whose extension the target did not take up, leaving
// politely so that a client target notices.
func (s *Session) decline(detail string) {
	s.cleanClose()
	s.fail(verdictf(Unimplemented, "%s", detail))
}

func bitsOr(bits, otherwise int) int {
	switch {
	case bits > 0:
		return bits
	case otherwise > 0:
		return otherwise
	}
	return fullWindowBits
}

// answerHead builds the answer to a client, with an extension unless empty.
func (s *Session) answerHead(request *rawpeer.Request, extension string) []byte {
	if extension == "" {
		return rawpeer.ResponseHead(request, nil)
	}
	return rawpeer.ResponseHead(request, extensionHeader(extension))
}

func extensionHeader(value string) http.Header {
	return http.Header{"Sec-WebSocket-Extensions": {value}}
}
