package conformance

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// serve echoes until the connection is over.
func (e *echo) serve() {
	for {
		err := e.frame()
		var code refusal
		switch {
		case err == nil:
			continue
		case errors.As(err, &code) && code != 0:
			if e.has("wrong code") {
				code = 1000
			}
			if !e.has("no close frame") {
				_ = e.write(true, 0, rawpeer.OpClose, rawpeer.ClosePayload(uint16(code), ""))
			}
			e.drain()
		case errors.As(err, &code):
			if e.has("stays open") {
				_, _ = io.Copy(io.Discard, e.reader)
			}
			e.drain()
		}
		return
	}
}

// frame reads one frame and acts on it.
func (e *echo) frame() error {
	head := e.head[:]
	if _, err := io.ReadFull(e.reader, head[:2]); err != nil {
		return err
	}
	fin, rsv, opcode := head[0]&0x80 != 0, head[0]>>4&7, head[0]&15
	masked, length := head[1]&0x80 != 0, uint64(head[1]&0x7f)
	control := opcode >= 8
	allowed := byte(0)
	if e.agreed && (opcode == 1 || opcode == 2) {
		allowed = rawpeer.RSV1
	}
	if e.has("RSV1 anywhere") {
		allowed = rawpeer.RSV1
	}
	switch {
	case rsv&^allowed != 0 && !e.has("any reserved bit"):
		return refusal(1002)
	case (opcode > 2 && opcode < 8 || opcode > 10) && !e.has("any opcode"):
		return refusal(1002)
	case masked != (e.role == RoleServer) && !e.has("any mask"):
		return refusal(1002)
	case control && !fin && !e.has("fragmented control"):
		return refusal(1002)
	case control && length > 125 && !e.has("long control"):
		return refusal(1002)
	}
	switch n := length; n {
	case 126, 127:
		wide := head[:2]
		if n == 127 {
			wide = head[:8]
		}
		if _, err := io.ReadFull(e.reader, wide); err != nil {
			return err
		}
		if length = uint64(binary.BigEndian.Uint16(wide)); n == 127 {
			length = binary.BigEndian.Uint64(wide)
		}
		minimal := length > 125 && (n == 126 || length > 0xffff)
		if !minimal && !e.has("any length form") || length>>63 != 0 {
			return refusal(1002)
		}
	}
	switch {
	case control:
	case opcode == 0 && !e.open && !e.has("continues nothing"):
		return refusal(1002)
	case opcode != 0 && e.open && !e.has("second start"):
		return refusal(1002)
	case opcode != 0:
		e.message, e.pending, e.fragments, e.empty = e.message[:0], nil, 0, 0
		e.opcode, e.packed, e.open = opcode, rsv&rawpeer.RSV1 != 0, true
	}
	if !control && length > MessageLimit-uint64(len(e.message)) && !e.has("no limit") {
		return refusal(1009)
	}
	var key [4]byte
	if masked {
		if _, err := io.ReadFull(e.reader, head[:4]); err != nil {
			return err
		}
		key = [4]byte(head)
	}
	if control {
		payload, err := io.ReadAll(io.LimitReader(e.reader, int64(length)))
		if err != nil || uint64(len(payload)) < length {
			return io.ErrUnexpectedEOF
		}
		unmask(payload, key, 0)
		return e.control(opcode, payload)
	}
	e.fragments++
	if length == 0 && opcode == 0 && !fin {
		e.empty++
	}
	if (e.fragments > maxFragments || e.empty > maxEmptyFragments) && !e.has("endless fragments") {
		return refusal(1008)
	}
	if err := e.payload(int(length), key); err != nil {
		return err
	}
	if !fin {
		return e.partly()
	}
	e.open = false
	return e.whole()
}

// payload reads a data frame's payload as it comes and judges it on the way.
func (e *echo) payload(length int, key [4]byte) error {
	chunk := e.chunk[:]
	for at := 0; at < length; {
		n, err := e.reader.Read(chunk[:min(len(chunk), length-at)])
		if err != nil {
			return err
		}
		unmask(chunk[:n], key, at)
		at += n
		e.message = append(e.message, chunk[:n]...)
		if e.opcode == 1 && !e.packed && !e.has("late UTF-8") && !e.has("no UTF-8") {
			e.pending = append(e.pending, chunk[:n]...)
			if e.pending, err = possible(e.pending); err != nil {
				return err
			}
		}
	}
	return nil
}

// possible strips the whole code points and keeps an unfinished one.
func possible(text []byte) ([]byte, error) {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			if utf8.FullRune(text) {
				return nil, refusal(1007)
			}
			break
		}
		text = text[size:]
	}
	return text, nil
}

// partly judges the text that an unfinished compressed message holds so far.
// It starts from the front each time, so only for the first few fragments.
func (e *echo) partly() error {
	const few = 8
	if !e.packed || e.opcode != 1 || e.fragments > few || e.has("late UTF-8") || e.has("no UTF-8") {
		return nil
	}
	text, _ := io.ReadAll(flate.NewReaderDict(bytes.NewReader(e.message), e.past))
	_, err := possible(text)
	return err
}

// whole echoes a complete message.
func (e *echo) whole() error {
	message := bytes.Clone(e.message)
	if e.packed {
		const end = deflateTail + "\x01\x00\x00\xff\xff"
		source := io.MultiReader(bytes.NewReader(message), strings.NewReader(end))
		var reader io.Reader = flate.NewReaderDict(source, e.past)
		if !e.has("bomb") {
			reader = io.LimitReader(reader, MessageLimit+1)
		}
		var err error
		if message, err = io.ReadAll(reader); err != nil && !e.has("any deflate") {
			return refusal(1007)
		}
		if len(message) > MessageLimit && !e.has("bomb") {
			return refusal(1009)
		}
		if e.terms.theirTakeover {
			e.past = append(e.past, message...)
			e.past = e.past[max(0, len(e.past)-1<<fullWindowBits):]
		}
	}
	if e.opcode == 1 && !utf8.Valid(message) && !e.has("no UTF-8") {
		return refusal(1007)
	}
	if e.has("altered echo") && len(message) > 0 {
		message[len(message)-1] ^= 1
	}
	opcode := e.opcode
	if e.has("other kind") {
		opcode ^= 3
	}
	switch {
	case e.has("no echo"):
	case !e.agreed:
		if e.has("split echo") && len(message) > 1 {
			e.write(false, 0, opcode, message[:1])
			e.write(true, 0, rawpeer.OpContinuation, message[1:])
			return nil
		}
		e.write(true, 0, opcode, message)
		if e.has("echoes twice") {
			e.write(true, 0, opcode, message)
		}
	default:
		e.write(true, rawpeer.RSV1, opcode, e.pack(message))
	}
	return nil
}

func (e *echo) pack(message []byte) []byte {
	if e.packer == nil {
		terms := e.terms
		if e.has("keeps context") {
			terms.ourTakeover = true
		}
		if e.has("full window") {
			terms.ourBits = fullWindowBits
		}
		e.packer = newDeflater(&Session{}, terms)
	}
	packed := e.packer.pack(message)
	if e.has("leaves tail") {
		packed = append(packed, deflateTail...)
	}
	return packed
}

func (e *echo) control(opcode byte, payload []byte) error {
	switch opcode {
	case rawpeer.OpPing:
		if e.has("altered pong") && len(payload) > 0 {
			payload[0] ^= 1
		}
		if !e.has("no pong") {
			e.write(true, 0, rawpeer.OpPong, payload)
		}
	case rawpeer.OpPong:
		if e.has("answers pongs") {
			e.write(true, 0, rawpeer.OpPong, payload)
		}
	case rawpeer.OpClose:
		return e.close(payload)
	}
	return nil
}

func (e *echo) close(payload []byte) error {
	if len(payload) == 1 && !e.has("any close") {
		return refusal(1002)
	}
	if len(payload) >= 2 && !e.has("any close") {
		code := binary.BigEndian.Uint16(payload)
		known := code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006
		if !known && (code < 3000 || code > 4999) {
			return refusal(1002)
		}
		if !utf8.Valid(payload[2:]) {
			return refusal(1007)
		}
	}
	if len(payload) > 2 {
		payload = payload[:2]
	}
	if e.has("other reply") {
		payload = rawpeer.ClosePayload(1001, "")
	}
	if e.has("no reply") {
		return io.EOF
	}
	if e.has("reads on after close") {
		_ = e.write(true, 0, rawpeer.OpClose, payload)
		return nil
	}
	_ = e.write(true, 0, rawpeer.OpClose, payload)
	return refusal(0)
}

// write sends one frame; the reading loop notices when that fails.
func (e *echo) write(fin bool, rsv, opcode byte, payload []byte) error {
	f := rawpeer.Frame{Fin: fin, RSV: rsv, Opcode: opcode, Payload: payload, Masked: e.role == RoleClient, Key: [4]byte{1, 2, 3, 4}}
	lie := rawpeer.Lie{}
	if e.has("masks wrongly") {
		f.Masked = !f.Masked
	}
	if e.has("writes long lengths") {
		lie.Form = rawpeer.Form64
	}
	_, err := e.conn.Write(rawpeer.AppendFrameLying(nil, f, lie))
	return err
}

func unmask(b []byte, key [4]byte, at int) {
	for i := range b {
		b[i] ^= key[(at+i)&3]
	}
}
