package actor_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

func TestMessageWriterSendsOneMessage(t *testing.T) {
	conn, peer := openConn(t, actor.ConnConfig{})
	for _, size := range []int{0, 1, 255, 256, 257, 1000, 100_000, 1 << 20} {
		want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		w := conn.Writer(wscore.OpBinary)
		for rest := want; len(rest) > 0; {
			n, err := w.Write(rest[:min(len(rest), 777)])
			must(t, err)
			rest = rest[n:]
		}
		must(t, w.Close())
		peer.ExpectBinary(want)
		if err := w.Close(); err == nil {
			t.Error("sent twice")
		}
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("written to after it was sent")
		}
		w.Discard()
	}
	w := conn.Writer(wscore.OpText)
	_, err := fmt.Fprintf(w, "%d bottles", 99)
	must(t, err, w.Close())
	peer.ExpectText("99 bottles")
}

func TestMessageWriterRefuses(t *testing.T) {
	conn, peer := openConn(t, actor.ConnConfig{Mailbox: split.MailboxConfig{MaxBytes: 1000}})
	for _, test := range []struct {
		name   string
		opcode wscore.Opcode
		text   string
		is     func(error) bool
	}{
		{"what is longer than may wait", wscore.OpBinary, strings.Repeat("x", 1001), func(err error) bool {
			var long *actor.SizeError
			return errors.As(err, &long) && long.Size == 1001 && long.Limit == 1000
		}},
		{"text that is none", wscore.OpText, "\xFF", func(err error) bool { return errors.Is(err, wscore.ErrTextNotUTF8) }},
		{"what is no message", wscore.OpPing, "x", func(err error) bool { return errors.Is(err, wscore.ErrNotDataOpcode) }},
	} {
		w := conn.Writer(test.opcode)
		_, err := io.Copy(w, inPieces{strings.NewReader(test.text)})
		if err == nil {
			err = w.Close()
		}
		if !test.is(err) {
			t.Errorf("%s: %v", test.name, err)
		}
		if err := w.Close(); err == nil {
			t.Errorf("%s: sent after all", test.name)
		}
	}
	given := conn.Writer(wscore.OpText)
	_, err := given.Write([]byte("never mind"))
	must(t, err)
	given.Discard()
	if err := given.Close(); err == nil {
		t.Error("sent after it was discarded")
	}
	must(t, conn.SendText("goes on"))
	peer.ExpectText("goes on")
}

// inPieces reads in small pieces.
type inPieces struct{ io.Reader }

func (r inPieces) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 100)]) }
