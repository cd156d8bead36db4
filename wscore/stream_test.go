package wscore

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
)

// tape is a stream for one end of a connection: it plays what the peer sends,
// in pieces of at most chunk bytes, and records what is written.
type tape struct {
	in       []byte
	chunk    int   // bytes a Read gives at most; 0 for as many as fit
	pauses   int   // reads that give 0 bytes and no error, before each piece
	paused   int   // pauses so far before the next piece
	end      error // what Read returns at the end; nil for io.EOF
	together bool  // the end comes with the last bytes

	out      bytes.Buffer
	writes   int
	writeErr error
	canWrite int // writes that succeed before writeErr
}

func (t *tape) Read(p []byte) (int, error) {
	if t.paused < t.pauses {
		t.paused++
		return 0, nil
	}
	t.paused = 0
	end := t.end
	if end == nil {
		end = io.EOF
	}
	if len(t.in) == 0 {
		return 0, end
	}
	if t.chunk > 0 && len(p) > t.chunk {
		p = p[:t.chunk]
	}
	n := copy(p, t.in)
	t.in = t.in[n:]
	if t.together && len(t.in) == 0 {
		return n, end
	}
	return n, nil
}

func (t *tape) Write(p []byte) (int, error) {
	if t.writeErr != nil && t.writes >= t.canWrite {
		return 0, t.writeErr
	}
	t.writes++
	return t.out.Write(p)
}

// The first byte of a frame with FIN set and without, by opcode.
const (
	finContinuation = 0x80
	finText         = 0x81
	finBinary       = 0x82
	finClose        = 0x88
	finPing         = 0x89
	finPong         = 0x8A
	moreText        = 0x01
	moreBinary      = 0x02
	moreContinue    = 0x00
)

// frame puts a frame together from the RFC's drawing, without this package's
// own encoder: the sender's role decides whether it is masked.
func frame(sender Role, first byte, payload string) []byte {
	b := []byte{first}
	var mask byte
	if sender == Client {
		mask = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if sender == Server {
		return append(b, payload...)
	}
	key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

// closeBody is the payload of a close frame.
func closeBody(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func peerOf(role Role) Role {
	if role == Client {
		return Server
	}
	return Client
}

// bothRoles runs the test as a server and as a client.
func bothRoles(t *testing.T, test func(t *testing.T, role Role)) {
	t.Helper()
	for _, role := range []Role{Server, Client} {
		t.Run(role.String(), func(t *testing.T) { test(t, role) })
	}
}

// newBuffers makes buffers with a window of the smallest size.
func newBuffers(message int) Buffers {
	return Buffers{Read: make([]byte, MinBuffer), Write: make([]byte, MinBuffer), Message: make([]byte, message)}
}

func newTestConn(t testing.TB, stream io.ReadWriter, role Role, buffers Buffers, options Options) *Conn {
	t.Helper()
	c, err := NewConn(stream, role, buffers, options)
	if err != nil {
		t.Fatalf("NewConn: %v", err)
	}
	return c
}

func newTestDecoder(t testing.TB, role Role, limits Limits) (*Decoder, *Lifecycle) {
	t.Helper()
	lifecycle := &Lifecycle{}
	d, err := NewDecoder(role, lifecycle, &limits)
	if err != nil {
		t.Fatalf("NewDecoder: %v", err)
	}
	return &d, lifecycle
}

// decodeAll feeds input to d in pieces and returns what came out, one line for
// each whole message and each control frame; how many bytes had been fed when
// it failed; and the failure. It keeps the contract of Decode and checks it.
func decodeAll(t testing.TB, d *Decoder, input []byte, piece func(left int) int) (log []string, fed int, err error) {
	t.Helper()
	input = bytes.Clone(input)
	var message []byte
	for start := 0; fed < len(input); {
		fed += piece(len(input) - fed)
		for {
			event, used, err := d.Decode(input[start:fed:fed])
			if used < 0 || used > fed-start {
				t.Fatalf("Decode used %d of %d bytes", used, fed-start)
			}
			start += used
			if err != nil {
				return log, fed, err
			}
			if event.Kind == NeedMore {
				break
			}
			if event.Kind != Data {
				log = append(log, event.Opcode.String()+" "+event.Code.String()+" "+string(event.Payload))
				continue
			}
			if event.First != (message == nil) {
				t.Fatalf("First is %v with a message of %d bytes begun", event.First, len(message))
			}
			if message == nil {
				message = []byte(event.Opcode.String() + " ")
			}
			if event.FrameStart {
				message = append(message, '|')
			}
			message = append(message, event.Payload...)
			if event.Final {
				log, message = append(log, string(message)), nil
			}
		}
	}
	return log, fed, nil
}

func oneByOne(int) int       { return 1 }
func allAtOnce(left int) int { return left }
