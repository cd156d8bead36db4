package wscore

import (
	"bytes"
	"strconv"
)

// DeflateConfig asks for permessage-deflate (RFC 7692). The zero value of a
// field means its default. Compression is off unless a config is given.
//
// Compression costs processor time, and where secrets and an attacker's text
// are compressed together it leaks the secrets' content through the length.
type DeflateConfig struct {
	// SendTakeover lets what was sent before help to compress what follows. It
	// costs a dictionary of up to 32 KiB for each connection. Default: off.
	SendTakeover bool
	// ReceiveTakeover allows the peer the same. Default: off.
	ReceiveTakeover bool
	// SendWindowBits is the largest window this side uses, as a power of two
	// in bytes. Default: 15. Range: 8 to 15.
	SendWindowBits int
	// ReceiveWindowBits is the largest window the peer may use, where it says
	// that it can use a smaller one than 15. Default: 15. Range: 8 to 15.
	ReceiveWindowBits int
	// Threshold is the shortest payload that is compressed, in bytes.
	// Default: [DefaultDeflateThreshold]. Range: 1 to 1 GiB.
	Threshold int
	// Level is how hard to try, 1 (fast) to 9. Default: 1, whose compressor takes
	// about 28 KiB; that of the others takes about 1 MiB.
	Level int
	// MaxRatio bounds how much larger than its compressed form a message may
	// become, judged after each 64 KiB of it and at the end of one longer than
	// that. Default: [DefaultMaxRatio]. Range: 2 to 1,048,576. Over it: 1009.
	MaxRatio int
}

// Defaults of [DeflateConfig].
const (
	DefaultDeflateThreshold = 512
	DefaultMaxRatio         = 256
	// maxWindowBits is the window of plain DEFLATE, 32 KiB.
	maxWindowBits = 15
	minWindowBits = 8
)

// WithDefaults returns c with each zero field replaced by its default, or a
// [ConfigError] for one out of its range.
func (c DeflateConfig) WithDefaults() (DeflateConfig, error) {
	for _, field := range []struct {
		name                string
		value               *int
		normal, least, most int
	}{
		{"Deflate.SendWindowBits", &c.SendWindowBits, maxWindowBits, minWindowBits, maxWindowBits},
		{"Deflate.ReceiveWindowBits", &c.ReceiveWindowBits, maxWindowBits, minWindowBits, maxWindowBits},
		{"Deflate.Threshold", &c.Threshold, DefaultDeflateThreshold, 1, 1 << 30},
		{"Deflate.Level", &c.Level, 1, 1, 9},
		{"Deflate.MaxRatio", &c.MaxRatio, DefaultMaxRatio, 2, 1 << 20},
	} {
		if *field.value == 0 {
			*field.value = field.normal
		}
		if *field.value < field.least || *field.value > field.most {
			return c, &ConfigError{Field: field.name, Value: *field.value,
				Range: strconv.Itoa(field.least) + " to " + strconv.Itoa(field.most) + " (0 for the default)"}
		}
	}
	return c, nil
}

// DeflateParams is what both sides agreed on, seen from this side. The zero
// value means that messages are not compressed.
type DeflateParams struct {
	// Agreed says that messages may be compressed at all.
	Agreed bool
	// SendTakeover and ReceiveTakeover say whether a direction keeps its window
	// from message to message.
	SendTakeover, ReceiveTakeover bool
	// SendWindowBits and ReceiveWindowBits are the windows' sizes as powers of
	// two, 8 to 15; 15 means 32 KiB.
	SendWindowBits, ReceiveWindowBits int

	limited bool // the client limited our window, so the answer must name it
}

// check refuses windows that do not exist.
func (p DeflateParams) check() error {
	for _, field := range [...]struct {
		name string
		bits int
	}{{"Agreed.SendWindowBits", p.SendWindowBits}, {"Agreed.ReceiveWindowBits", p.ReceiveWindowBits}} {
		if field.bits < minWindowBits || field.bits > maxWindowBits {
			return &ConfigError{Field: field.name, Value: field.bits, Range: "8 to 15"}
		}
	}
	return nil
}

// The extension's name and parameters (RFC 7692 section 7.1).
const (
	deflateName           = "permessage-deflate"
	serverNoTakeover      = "server_no_context_takeover"
	clientNoTakeover      = "client_no_context_takeover"
	serverWindowBits      = "server_max_window_bits"
	clientWindowBits      = "client_max_window_bits"
	windowBitsUnspecified = -1
)

// deflateTerms is one offer or answer. Window bits are 0 where the parameter
// is missing.
type deflateTerms struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int
}

// parseDeflate reads one element of a Sec-WebSocket-Extensions value. named is
// false for another extension; valid is false for parameters that are unknown,
// repeated or out of range, which makes an offer one to decline and an answer
// one to fail on.
func parseDeflate(element []byte) (terms deflateTerms, named, valid bool) {
	name, rest, more := bytes.Cut(element, []byte{';'})
	if !equalFold(bytes.Trim(name, " \t"), deflateName) {
		return terms, false, false
	}
	for more {
		var parameter []byte
		parameter, rest, more = bytes.Cut(rest, []byte{';'})
		key, value, hasValue := bytes.Cut(parameter, []byte{'='})
		key, value = bytes.Trim(key, " \t"), unquote(bytes.Trim(value, " \t"))
		switch {
		case equalFold(key, serverNoTakeover) && !hasValue && !terms.serverNoTakeover:
			terms.serverNoTakeover = true
		case equalFold(key, clientNoTakeover) && !hasValue && !terms.clientNoTakeover:
			terms.clientNoTakeover = true
		case equalFold(key, serverWindowBits) && terms.serverBits == 0:
			if terms.serverBits = windowBits(value); terms.serverBits == 0 {
				return terms, true, false
			}
		case equalFold(key, clientWindowBits) && terms.clientBits == 0:
			terms.clientBits = windowBitsUnspecified
			if hasValue {
				if terms.clientBits = windowBits(value); terms.clientBits == 0 {
					return terms, true, false
				}
			}
		default:
			return terms, true, false
		}
	}
	return terms, true, true
}

// unquote takes the quotes off a quoted string; the values that are allowed
// need no escapes.
func unquote(value []byte) []byte {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		return value[1 : len(value)-1]
	}
	return value
}

// windowBits reads 8 to 15 without leading zeros; anything else is 0.
func windowBits(value []byte) int {
	switch {
	case len(value) == 1 && (value[0] == '8' || value[0] == '9'):
		return int(value[0] - '0')
	case len(value) == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5':
		return 10 + int(value[1]-'0')
	}
	return 0
}

// AcceptDeflate answers one Sec-WebSocket-Extensions value of a client: it
// takes the first offer that it can agree to (RFC 7692 section 7.1). Call it
// for each such field in turn until Agreed is true. The config must have its
// defaults.
func AcceptDeflate(value []byte, config DeflateConfig) DeflateParams {
	for element := range listItems(value) {
		offer, named, valid := parseDeflate(element)
		if !named || !valid {
			continue
		}
		p := DeflateParams{
			Agreed:            true,
			SendTakeover:      config.SendTakeover && !offer.serverNoTakeover,
			ReceiveTakeover:   config.ReceiveTakeover && !offer.clientNoTakeover,
			SendWindowBits:    config.SendWindowBits,
			ReceiveWindowBits: maxWindowBits,
		}
		if offer.serverBits > 0 {
			p.SendWindowBits = min(p.SendWindowBits, offer.serverBits)
			p.limited = true
		}
		// Only a client that mentions its window can be told to lower it.
		switch {
		case offer.clientBits > 0:
			p.ReceiveWindowBits = min(offer.clientBits, config.ReceiveWindowBits)
		case offer.clientBits == windowBitsUnspecified:
			p.ReceiveWindowBits = config.ReceiveWindowBits
		}
		return p
	}
	return DeflateParams{}
}

// appendAnswer appends the server's Sec-WebSocket-Extensions value. A window
// is named where it is smaller than 15 bits, and the server's also where the
// client offered a limit for it: that is how the offer is accepted (RFC 7692
// section 7.1.2.1).
func (p DeflateParams) appendAnswer(dst []byte) []byte {
	dst = append(dst, deflateName...)
	if !p.SendTakeover {
		dst = append(append(dst, "; "...), serverNoTakeover...)
	}
	if !p.ReceiveTakeover {
		dst = append(append(dst, "; "...), clientNoTakeover...)
	}
	dst = appendBits(dst, serverWindowBits, p.SendWindowBits, p.limited)
	return appendBits(dst, clientWindowBits, p.ReceiveWindowBits, false)
}

func appendBits(dst []byte, name string, bits int, always bool) []byte {
	if bits == maxWindowBits && !always {
		return dst
	}
	dst = append(append(append(dst, "; "...), name...), '=')
	return strconv.AppendInt(dst, int64(bits), 10)
}

// appendOffer appends a client's Sec-WebSocket-Extensions value.
func (c DeflateConfig) appendOffer(dst []byte) []byte {
	dst = append(dst, deflateName...)
	if !c.ReceiveTakeover {
		dst = append(append(dst, "; "...), serverNoTakeover...)
	}
	if !c.SendTakeover {
		dst = append(append(dst, "; "...), clientNoTakeover...)
	}
	dst = appendBits(dst, serverWindowBits, c.ReceiveWindowBits, false)
	dst = append(append(dst, "; "...), clientWindowBits...)
	if c.SendWindowBits < maxWindowBits {
		dst = strconv.AppendInt(append(dst, '='), int64(c.SendWindowBits), 10)
	}
	return dst
}

// checkAnswer judges a server's element against the offer (RFC 7692 section
// 7.1) and returns what is agreed.
func (c DeflateConfig) checkAnswer(element []byte) (DeflateParams, bool) {
	answer, named, valid := parseDeflate(element)
	switch {
	case !named || !valid,
		answer.clientBits == windowBitsUnspecified,                    // an answer needs the number
		answer.clientBits > c.SendWindowBits,                          // larger than offered
		answer.serverBits > c.ReceiveWindowBits,                       // larger than offered
		answer.serverBits == 0 && c.ReceiveWindowBits < maxWindowBits, // the limit was not confirmed
		!answer.serverNoTakeover && !c.ReceiveTakeover:                // nor was this
		return DeflateParams{}, false
	}
	p := DeflateParams{
		Agreed:            true,
		SendTakeover:      c.SendTakeover && !answer.clientNoTakeover,
		ReceiveTakeover:   !answer.serverNoTakeover,
		SendWindowBits:    c.SendWindowBits,
		ReceiveWindowBits: maxWindowBits,
	}
	if answer.clientBits > 0 {
		p.SendWindowBits = answer.clientBits
	}
	if answer.serverBits > 0 {
		p.ReceiveWindowBits = answer.serverBits
	}
	return p, true
}
