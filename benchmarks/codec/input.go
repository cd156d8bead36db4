package codec

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"strings"
)

// ClientFrame puts a whole binary message of a client together by hand, so that
// no contender measures its own encoder's output.
func ClientFrame(payload []byte, compressed bool) []byte {
	first := byte(0x82)
	if compressed {
		first |= 0x40
	}
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

// ServerFrameSize is the length of a server's frame with that much payload.
func ServerFrameSize(payload int) int {
	switch {
	case payload < 126:
		return payload + 2
	case payload < 1<<16:
		return payload + 4
	}
	return payload + 10
}

// Bytes returns a payload that is not all alike.
func Bytes(size int) []byte {
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

// JSON returns that many bytes of JSON as chats and feeds send it.
func JSON(size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, `{"id":%d,"user":"user-%d","text":"message number %d of the room","room":"lobby","read":%v,"score":%d.%d},`,
			48211+i*37, i*7%97, i, i%3 == 0, i%11, i*13%100)
	}
	return b.Bytes()[:size]
}

// Text returns valid UTF-8 of that many bytes or up to three fewer.
func Text(kind string, size int) []byte {
	unit := map[string]string{
		"ASCII": "The quick brown fox jumps over. ",
		"JSON":  `{"id":12345,"city":"Köln","tags":["a","b"],"ok":true,"n":3.25},`,
		"CJK":   "天地玄黃宇宙洪荒日月盈昃",
		"emoji": "ok 👍 done 🎉🚀 see you é à 天 ",
	}[kind]
	text := strings.Repeat(unit, size/len(unit)+1)
	for text[size]&0xC0 == 0x80 {
		size-- // do not cut a character
	}
	return []byte(text[:size])
}

// Deflated returns the payload as permessage-deflate sends it, made with the
// standard library.
func Deflated(payload []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = w.Write(payload) // a bytes.Buffer takes everything
	_ = w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte(tail))
}

// tail ends a flushed DEFLATE stream; messages leave it out (RFC 7692 7.2.1).
const tail = "\x00\x00\xff\xff"
