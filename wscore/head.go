package wscore

import (
	"bytes"
	"iter"
)

const (
	// MaxHeaderFields is the most header fields that a handshake head may have.
	// Over it, or over a lower limit set in the options: status 431.
	MaxHeaderFields = 128
	// MaxHeadSize is the longest handshake head in bytes, the empty line
	// included. A smaller read buffer lowers it. Over it: status 431.
	MaxHeadSize = 64 << 10
)

// Fields is a view of the header fields of a handshake head. It borrows the
// buffer that the head was read into and is valid until that buffer is reused:
// until the first [Conn.Next], or until the hook that was given it returns.
type Fields struct {
	raw   []byte
	spans [MaxHeaderFields]fieldSpan
	count int
}

// fieldSpan is where a field's name and value lie in the head.
type fieldSpan struct {
	name, nameEnd, value, valueEnd uint16
}

// Len returns the number of fields.
func (f *Fields) Len() int { return f.count }

// At returns the field with index i, 0 to Len()-1, in the order of arrival.
func (f *Fields) At(i int) (name, value []byte) {
	s := f.spans[i]
	return f.raw[s.name:s.nameEnd:s.nameEnd], f.raw[s.value:s.valueEnd:s.valueEnd]
}

// Get returns the value of the first field with that name, in any case, or nil.
func (f *Fields) Get(name string) []byte {
	for value := range f.Values(name) {
		return value
	}
	return nil
}

// Values returns the values of all fields with that name, in any case.
func (f *Fields) Values(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range f.count {
			field, value := f.At(i)
			if equalFold(field, name) && !yield(value) {
				return
			}
		}
	}
}

// headParser reads a head as it arrives: called again with the same bytes and
// more behind them it goes on where it stopped, so no byte is read twice.
type headParser struct {
	fields    Fields
	maxFields int
	position  int
	state     headState
	current   fieldSpan
	lineEnd   int // end of the start line, without CR LF
}

type headState uint8

const (
	inStartLine headState = iota
	afterStartLine
	atField // a field's name or the empty line begins here
	inName
	beforeValue
	inValue
	afterValue
	atEnd
)

// parse looks at the bytes of raw that it has not seen yet. It returns the
// length of the head once the empty line is there, 0 before that. The bytes
// must stay where they are until the head is done with.
func (p *headParser) parse(raw []byte) (int, error) {
	p.fields.raw = raw
	for ; p.position < len(raw); p.position++ {
		if p.position >= MaxHeadSize {
			return 0, ErrHeadTooLarge
		}
		b, at := raw[p.position], uint16(p.position)
		switch p.state {
		case inStartLine:
			if b == '\r' {
				p.lineEnd, p.state = p.position, afterStartLine
			} else if b < 0x20 && b != '\t' || b == 0x7F {
				return 0, ErrHeadSyntax // a reason phrase may hold the rest (RFC 9112 4)
			}
		case afterStartLine, afterValue:
			if b != '\n' {
				return 0, ErrHeadSyntax
			}
			p.state = atField
		case atField:
			if b == '\r' {
				p.state = atEnd
				continue
			}
			if p.fields.count == p.maxFields {
				return 0, ErrTooManyHeaderFields
			}
			if !isTokenByte(b) { // also refuses folded lines (RFC 9112 5.2)
				return 0, ErrHeadSyntax
			}
			p.current, p.state = fieldSpan{name: at}, inName
		case inName:
			if b == ':' {
				p.current.nameEnd, p.state = at, beforeValue
			} else if !isTokenByte(b) {
				return 0, ErrHeadSyntax
			}
		case beforeValue:
			if b == ' ' || b == '\t' {
				continue
			}
			p.current.value, p.current.valueEnd, p.state = at, at, inValue
			fallthrough
		case inValue:
			switch {
			case b == '\r':
				p.fields.spans[p.fields.count] = p.current
				p.fields.count++
				p.state = afterValue
			case b == ' ' || b == '\t': // trailing white space is not part of the value
			case b < 0x20 || b == 0x7F:
				return 0, ErrHeadSyntax
			default:
				p.current.valueEnd = at + 1
			}
		case atEnd:
			if b != '\n' {
				return 0, ErrHeadSyntax
			}
			return p.position + 1, nil
		}
	}
	return 0, nil
}

// startLine returns the three parts of the first line, split at its first two
// spaces; the third may hold spaces (a reason phrase).
func (p *headParser) startLine() (first, second, third []byte) {
	first, rest, _ := bytes.Cut(p.fields.raw[:p.lineEnd], []byte{' '})
	second, third, _ = bytes.Cut(rest, []byte{' '})
	return first, second, third
}

// isTokenByte reports whether b may stand in a token (RFC 9110 section 5.6.2).
func isTokenByte(b byte) bool {
	switch {
	case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9':
		return true
	}
	switch b {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return false
}

// isToken reports whether s is a token (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// equalFold compares without regard to the case of ASCII letters.
func equalFold[T string | []byte](b []byte, s T) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if lower(b[i]) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// listItems walks a comma-separated header value (RFC 9110 section 5.6.1),
// leaving out empty items and the white space around them. A comma inside a
// quoted string does not separate.
func listItems(value []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		start, quoted := 0, false
		for i := 0; i <= len(value); i++ {
			if i < len(value) {
				switch {
				case quoted && value[i] == '\\' && i+1 < len(value):
					i++
					continue
				case value[i] == '"':
					quoted = !quoted
					continue
				case value[i] != ',' || quoted:
					continue
				}
			}
			end := min(i, len(value))
			if item := bytes.Trim(value[start:end], " \t"); len(item) > 0 && !yield(item) {
				return
			}
			start = i + 1
		}
	}
}

// hasToken reports whether a comma-separated value names the token, in any case.
func hasToken(value []byte, token string) bool {
	for item := range listItems(value) {
		if equalFold(item, token) {
			return true
		}
	}
	return false
}
