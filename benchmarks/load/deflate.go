package load

import (
	"bytes"
	"compress/flate"
	"io"
)

// deflateTail is what a compressed message leaves out (RFC 7692, section 7.2).
const deflateTail = "\x00\x00\xff\xff"

func deflate(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.DefaultCompression)
	if err != nil {
		return nil, err
	}
	if _, err = w.Write(text); err != nil {
		return nil, err
	}
	if err = w.Flush(); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte(deflateTail)), nil
}

// inflate gives up after limit bytes.
func inflate(body []byte, limit int) ([]byte, error) {
	const finalEmptyBlock = "\x01\x00\x00\xff\xff"
	source := io.MultiReader(bytes.NewReader(body), bytes.NewReader([]byte(deflateTail+finalEmptyBlock)))
	return io.ReadAll(io.LimitReader(flate.NewReader(source), int64(limit)))
}
