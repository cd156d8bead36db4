package wscore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fieldsOf lists the fields of a head as "name=value".
func fieldsOf(f *Fields) []string {
	var list []string
	for i := range f.Len() {
		name, value := f.At(i)
		list = append(list, string(name)+"="+string(value))
	}
	return list
}

const correctHead = "GET /chat?room=1 HTTP/1.1\r\n" +
	"Host: server.example.com\r\n" +
	"Upgrade:websocket\r\n" +
	"X-Padded: \t two  words \t \r\n" +
	"X-Empty:\r\n" +
	"X-Blank: \t \r\n" +
	"X-Latin: caf\xe9\r\n" +
	"x-padded: again\r\n" +
	"\r\n"

func TestHeadByteByByteEqualsWhole(t *testing.T) {
	want := []string{"Host=server.example.com", "Upgrade=websocket", "X-Padded=two  words", "X-Empty=", "X-Blank=",
		"X-Latin=caf\xe9", "x-padded=again"}
	raw := []byte(correctHead + "early bytes")
	check := func(name string, p *headParser, size int, err error) {
		t.Helper()
		if size != len(correctHead) || err != nil || !slices.Equal(fieldsOf(&p.fields), want) {
			t.Errorf("%s: %d, %v, %q", name, size, err, fieldsOf(&p.fields))
		}
		if method, target, version := p.startLine(); string(method) != "GET" || string(target) != "/chat?room=1" || string(version) != "HTTP/1.1" {
			t.Errorf("%s: start line %q %q %q", name, method, target, version)
		}
	}
	whole := &headParser{maxFields: MaxHeaderFields}
	size, err := whole.parse(raw)
	check("whole", whole, size, err)

	for step := 1; step < 40; step++ {
		pieces := &headParser{maxFields: MaxHeaderFields}
		for end := 0; ; end += step {
			size, err := pieces.parse(raw[:min(end, len(raw))])
			if size == 0 && err == nil {
				continue
			}
			check(fmt.Sprintf("in steps of %d", step), pieces, size, err)
			break
		}
	}
}

// Bytes that were parsed are overwritten before the next call; a parser that
// looked at them again would refuse them.
func TestEachByteOfAHeadIsReadOnce(t *testing.T) {
	raw := []byte(correctHead)
	p := &headParser{maxFields: MaxHeaderFields}
	for end := 1; end <= len(raw); end++ {
		size, err := p.parse(raw[:end])
		if err != nil || (size != 0) != (end == len(raw)) {
			t.Fatalf("after %d bytes: %d, %v", end, size, err)
		}
		raw[end-1] = 0
	}
}

func TestMalformedHeadsAreRefusedAtTheEarliestByte(t *testing.T) {
	const line = "GET / HTTP/1.1\r\n"
	for _, test := range []struct {
		name, head string
		after      string // what may precede the failing byte
	}{
		{"bare LF after the start line", "GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1"},
		{"bare CR in the start line", "GET /\rHost: x\r\n\r\n", "GET /\r"},
		{"NUL in the start line", "GET /\x00 HTTP/1.1\r\n\r\n", "GET /"},
		{"DEL in the start line", "GET /\x7f HTTP/1.1\r\n\r\n", "GET /"},
		{"TLS instead of HTTP", "\x16\x03\x01\x02\x00", ""},
		{"folded line", line + "Host: x\r\n y\r\n\r\n", line + "Host: x\r\n"},
		{"line folded with a tab", line + "Host: x\r\n\ty\r\n\r\n", line + "Host: x\r\n"},
		{"space at the first field", line + " Host: x\r\n\r\n", line},
		{"bare LF after a field", line + "Host: x\n\r\n", line + "Host: x"},
		{"bare LF as the empty line", line + "Host: x\r\n\n", line + "Host: x\r\n"},
		{"bare CR in a value", line + "Host: x\ry\r\n\r\n", line + "Host: x\r"},
		{"bare CR at the end", line + "Host: x\r\n\rx", line + "Host: x\r\n\r"},
		{"two CR after a field", line + "Host: x\r\r\n\r\n", line + "Host: x\r"},
		{"NUL in a value", line + "Host: x\x00\r\n\r\n", line + "Host: x"},
		{"control character before a value", line + "Host:\x0b\r\n\r\n", line + "Host:"},
		{"DEL in a value", line + "Host: \x7f\r\n\r\n", line + "Host: "},
		{"space before the colon", line + "Host : x\r\n\r\n", line + "Host"},
		{"no name", line + ": x\r\n\r\n", line},
		{"name that is not a token", line + "Ho(st: x\r\n\r\n", line + "Ho"},
		{"name beyond ASCII", line + "H\xc3\xb4te: x\r\n\r\n", line + "H"},
		{"no colon", line + "Host\r\n\r\n", line + "Host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			whole := &headParser{maxFields: MaxHeaderFields}
			if size, err := whole.parse([]byte(test.head)); size != 0 || err != ErrHeadSyntax {
				t.Errorf("whole: %d, %v", size, err)
			}
			pieces := &headParser{maxFields: MaxHeaderFields}
			for end := range len(test.head) + 1 {
				size, err := pieces.parse([]byte(test.head[:end]))
				if size != 0 || (err == nil) != (end <= len(test.after)) {
					t.Fatalf("after %q: %d, %v", test.head[:end], size, err)
				}
				if err != nil {
					break
				}
			}
		})
	}
}

func TestHeadLimits(t *testing.T) {
	const line = "GET / HTTP/1.1\r\n"
	filled := func(size int) string { // a head of exactly that many bytes
		return line + "A: " + strings.Repeat("x", size-len(line)-len("A: \r\n\r\n")) + "\r\n\r\n"
	}
	for _, test := range []struct {
		name      string
		head      string
		maxFields int
		want      error
	}{
		{"as many fields as allowed", line + strings.Repeat("A: b\r\n", 3) + "\r\n", 3, nil},
		{"one field more", line + strings.Repeat("A: b\r\n", 4) + "\r\n", 3, ErrTooManyHeaderFields},
		{"no fields at all", line + "\r\n", 1, nil},
		{"the most fields there can be", line + strings.Repeat("A: b\r\n", MaxHeaderFields) + "\r\n", MaxHeaderFields, nil},
		{"10,000 fields", line + strings.Repeat("A: b\r\n", 10_000) + "\r\n", MaxHeaderFields, ErrTooManyHeaderFields},
		{"the longest head", filled(MaxHeadSize), MaxHeaderFields, nil},
		{"one byte more", filled(MaxHeadSize + 1), MaxHeaderFields, ErrHeadTooLarge},
		{"an endless start line", "GET /" + strings.Repeat("x", MaxHeadSize), MaxHeaderFields, ErrHeadTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &headParser{maxFields: test.maxFields}
			size, err := p.parse([]byte(test.head))
			if !errors.Is(err, test.want) || (size == len(test.head)) != (test.want == nil) {
				t.Fatalf("%d, %v", size, err)
			}
			if name := "the longest head"; test.name == name {
				if value := p.fields.Get("A"); len(value) != MaxHeadSize-len(line)-len("A: \r\n\r\n") {
					t.Errorf("value of %d bytes", len(value))
				}
			}
		})
	}
}

func TestFieldsAreFoundInAnyCase(t *testing.T) {
	p := &headParser{maxFields: MaxHeaderFields}
	if _, err := p.parse([]byte(correctHead)); err != nil {
		t.Fatal(err)
	}
	f := &p.fields
	if string(f.Get("hOST")) != "server.example.com" || f.Get("Absent") != nil || f.Get("X-Empty") == nil {
		t.Errorf("Get gave %q, %q, %v", f.Get("hOST"), f.Get("Absent"), f.Get("X-Empty"))
	}
	var all []string
	for value := range f.Values("X-PADDED") {
		all = append(all, string(value))
	}
	if !slices.Equal(all, []string{"two  words", "again"}) {
		t.Errorf("Values gave %q", all)
	}
	for value := range f.Values("X-PADDED") {
		if string(value) != "two  words" {
			t.Errorf("went on to %q after the caller stopped", value)
		}
		break
	}
}

// A view ends where its field ends: appending to it must not overwrite the next.
func TestFieldViewsCannotReachTheirNeighbours(t *testing.T) {
	p := &headParser{maxFields: MaxHeaderFields}
	raw := []byte(correctHead)
	if _, err := p.parse(raw); err != nil {
		t.Fatal(err)
	}
	name, value := p.fields.At(0)
	_, _ = append(name, "!!!"...), append(value, "!!!"...)
	if string(raw) != correctHead {
		t.Errorf("the head became %q", raw)
	}
}

func TestListItems(t *testing.T) {
	for _, test := range []struct {
		value string
		want  []string
	}{
		{"", nil},
		{" , ,\t,", nil},
		{"a", []string{"a"}},
		{"keep-alive, Upgrade", []string{"keep-alive", "Upgrade"}},
		{",a ,\tb c,", []string{"a", "b c"}},
		{`a; x="1,2", b`, []string{`a; x="1,2"`, "b"}},
		{`a; x="\",", b`, []string{`a; x="\","`, "b"}},
		{`"never closed, b`, []string{`"never closed, b`}},
		{`"ends in a backslash\`, []string{`"ends in a backslash\`}},
	} {
		if got := slices.Collect(listItems([]byte(test.value))); !slices.EqualFunc(got, test.want, func(b []byte, s string) bool { return string(b) == s }) {
			t.Errorf("%q has the items %q", test.value, got)
		}
	}
	for item := range listItems([]byte("a,b")) {
		if string(item) != "a" {
			t.Errorf("went on to %q after the caller stopped", item)
		}
		break
	}
}

func TestTokensAreComparedInAnyCaseButWhole(t *testing.T) {
	for value, want := range map[string]bool{
		"upgrade": true, "keep-alive, Upgrade": true, "UPGRADE": true, "x,\tupgrade\t,y": true,
		"upgrades": false, "no upgrade": false, `"upgrade"`: false, "": false, "upgra\xdee": false,
	} {
		if hasToken([]byte(value), "upgrade") != want {
			t.Errorf("%q: not %v", value, want)
		}
	}
}

// RFC 9110 section 5.6.2 lists the characters of a token.
func TestTokenBytes(t *testing.T) {
	const token = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for b := range 256 {
		if isTokenByte(byte(b)) != (strings.IndexByte(token, byte(b)) >= 0) {
			t.Errorf("%q: isTokenByte is %v", byte(b), isTokenByte(byte(b)))
		}
	}
}

func FuzzHead(f *testing.F) {
	f.Add([]byte(correctHead), uint64(0))
	f.Add([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00"), uint64(0xFFFF))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n"), uint64(1))
	f.Add([]byte("GET / HTTP/1.1\nHost: x\n\n"), uint64(2))
	f.Fuzz(func(t *testing.T, raw []byte, cuts uint64) {
		whole := &headParser{maxFields: 4}
		size, err := whole.parse(raw)
		pieces := &headParser{maxFields: 4}
		var piecesSize int
		var piecesErr error
		for end := 0; end <= len(raw) && piecesSize == 0 && piecesErr == nil; end++ {
			if end == len(raw) || cuts>>(end%64)&1 != 0 {
				piecesSize, piecesErr = pieces.parse(raw[:end])
			}
		}
		if piecesSize != size || !errors.Is(piecesErr, err) || err == nil && piecesErr != nil {
			t.Fatalf("whole gave %d, %v; pieces gave %d, %v", size, err, piecesSize, piecesErr)
		}
		if size == 0 {
			return
		}
		if !bytes.HasSuffix(raw[:size], []byte("\r\n\r\n")) || bytes.Contains(raw[:size-4], []byte("\r\n\r\n")) {
			t.Fatalf("head ends at %d of %q", size, raw)
		}
		// The fields, put together again, are the head but for the white space
		// around the values.
		if !slices.Equal(fieldsOf(&whole.fields), fieldsOf(&pieces.fields)) {
			t.Fatalf("whole gave %q, pieces gave %q", fieldsOf(&whole.fields), fieldsOf(&pieces.fields))
		}
		lines := bytes.Split(raw[:size-4], []byte("\r\n"))
		if len(lines) != whole.fields.Len()+1 {
			t.Fatalf("%d fields in %q", whole.fields.Len(), raw[:size])
		}
		for i, line := range lines[1:] {
			name, value := whole.fields.At(i)
			wantName, wantValue, _ := bytes.Cut(line, []byte(":"))
			if !bytes.Equal(name, wantName) || !bytes.Equal(value, bytes.Trim(wantValue, " \t")) || len(name) == 0 {
				t.Fatalf("field %q was read as %q and %q", line, name, value)
			}
			for _, b := range name {
				if !isTokenByte(b) {
					t.Fatalf("name %q", name)
				}
			}
			if bytes.ContainsAny(value, "\r\n\x00\x7f") {
				t.Fatalf("value %q", value)
			}
		}
	})
}
