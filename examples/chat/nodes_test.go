package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor/natsbroker/embedded"
	"github.com/tandem-ws/tandem/wscore"
)

// all are the types of messages that come between others.
var all = []string{"ack", "state", "typing", "notice", "message", "rooms", "history"}

func TestTwoNodesAreOneChat(t *testing.T) {
	noLeaks(t)
	first, _ := startProgram(t, "-nats-listen", "127.0.0.1:0")
	second, _ := startProgram(t, "-nats", first.nats)
	ann, bob := first.dial(), second.dial()
	ann.join("lobby", "ann", "ann")
	bob.askToJoin("lobby", "ANN")
	bob.expectError(codeNickTaken, "")
	bob.askToJoin("lobby", "bob")
	bob.expect("joined")
	ann.expectNotice("join", "bob", "ann", "bob")

	ann.say("1", "hello")
	ann.say("2", "again")
	var seqs []uint64
	for _, text := range []string{"hello", "again"} {
		here, there := ann.expectMessage("ann", text), bob.await("message", all[:4]...)
		if here.Seq != there.Seq || here.Prev != there.Prev || there.Text != text {
			t.Errorf("here %s, there %s", here.raw, there.raw)
		}
		seqs = append(seqs, here.Seq)
	}
	ann.send(`{"type":"typing"}`)
	if got := bob.await("typing", "notice", "ack"); got.Nick != "ann" || got.Room != "lobby" {
		t.Errorf("bob sees %s", got.raw)
	}

	// Somebody in another room asks for all of them, and what is unread.
	cid := second.dial()
	cid.join("kitchen", "cid", "cid")
	for limit := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		cid.send(fmt.Sprintf(`{"type":"rooms","seen":{"lobby":%d}}`, seqs[0]))
		got := cid.await("rooms", all[:5]...)
		if len(got.Rooms) == 2 && got.Rooms[0].Room == "kitchen" && got.Rooms[0].Members == 1 && got.Rooms[0].Unread == nil &&
			got.Rooms[1].Room == "lobby" && got.Rooms[1].Members == 2 && got.Rooms[1].Unread != nil && *got.Rooms[1].Unread == 1 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("rooms are %s", got.raw)
		}
	}
	bob.leave(wscore.CloseNormal)
	ann.expectNotice("leave", "bob", "ann")
}

// Who comes back, on whatever node, gets what was missed and nothing twice, and
// what is sent again is stored once.
func TestResumeOnAnotherNode(t *testing.T) {
	noLeaks(t)
	first, _ := startProgram(t, "-nats-listen", "127.0.0.1:0")
	second, _ := startProgram(t, "-nats", first.nats)
	ann, bob := first.dial(), second.dial()
	epoch := ann.joinAgain("lobby", "ann", "ann's", "", 0).Epoch
	bob.join("lobby", "bob", "bob")
	ann.say("1", "one")
	one := ann.await("message", all[:4]...)
	_ = ann.stream.Close() // the network's fault
	for i := range 120 {
		bob.say(fmt.Sprint(i), fmt.Sprint("while away ", i))
		if got := bob.await("ack", all[1:]...); got.ID != fmt.Sprint(i) {
			t.Fatalf("got %s", got.raw)
		}
		time.Sleep(time.Second / messagesPerSecond) // keeps to the rate
	}
	again := second.dial()
	joined := again.joinAgain("lobby", "ann", "ann's", epoch, one.Seq)
	missed := joined.History
	for joined.Gap == false && len(missed) < 120 {
		more := again.await("history", "notice")
		missed = append(missed, more.History...)
	}
	prev := one.Seq
	for i, m := range missed {
		if m.Text != fmt.Sprint("while away ", i) || m.Prev != prev {
			t.Fatalf("missed message %d is %+v after %d", i, m, prev)
		}
		prev = m.Seq
	}
	again.say("1", "one")
	if got := again.await("ack", all[1:]...); got.Seq != one.Seq {
		t.Errorf("sent again: %s, was %d", got.raw, one.Seq)
	}
	if old := again.joinAgain("lobby", "ann", "ann's", "another epoch", one.Seq); !old.Gap || len(old.History) != recentMessages {
		t.Errorf("with numbers of another history: gap %v, %d messages", old.Gap, len(old.History))
	}
}

func TestOneClientHasOnePlace(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	old, other := p.dial(), p.dial()
	old.joinAgain("lobby", "ann", "ann's", "", 0)
	other.join("lobby", "bob", "ann", "bob")
	old.expectNotice("join", "bob", "ann", "bob")
	now := p.dial()
	if got := now.joinAgain("lobby", "ann", "ann's", "", 0); !slices.Equal(got.Members, []string{"ann", "bob"}) {
		t.Errorf("members are %v", got.Members)
	}
	old.expectError(codeReplaced, "")
	old.say("1", "still here?")
	old.expectError(codeNotJoined, "1")
	now.say("2", "here")
	other.expectMessage("ann", "here") // and no notice before it
}

func TestTokens(t *testing.T) {
	noLeaks(t)
	file, key := writeTokenKey(t)
	var minted bytes.Buffer
	if code := runWith(t.Context(), []string{"-mint", "ann", "-token-key", file}, &minted, io.Discard); code != exitOK {
		t.Fatalf("minting ends with %d", code)
	}
	good := strings.TrimSpace(minted.String())
	p, _ := startProgram(t, "-token-key", file)
	hour := time.Now().Add(time.Hour)
	for name, test := range map[string]struct {
		token       string
		inList, let bool
	}{
		"none":               {"", false, false},
		"good":               {good, false, true},
		"good, of a browser": {good, true, true},
		"expired":            {key.sign("ann", time.Now().Add(-time.Second)), false, false},
		"another key's":      {(&auth{key: []byte("another key of length")}).sign("ann", hour), false, false},
		"changed":            {"x" + good, false, false},
		"no signature":       {strings.Split(good, ".")[0], false, false},
		"no nickname":        {key.sign(" ", hour), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			stream, err := net.DialTimeout("tcp", p.host(), patience)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stream.Close() }()
			options := wscore.ConnectOptions{Subprotocols: []string{subprotocol}}
			switch {
			case test.inList:
				options.Subprotocols = append(options.Subprotocols, tokenPrefix+test.token)
			case test.token != "":
				options.Headers = []wscore.HeaderField{{Name: "Authorization", Value: "Bearer " + test.token}}
			}
			ws, err := open(t, stream, p.host(), options)
			var refusal *wscore.HandshakeError
			if !test.let {
				if !errors.As(err, &refusal) || refusal.Status != http.StatusUnauthorized {
					t.Errorf("refused with %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c := &client{t: t, stream: stream, ws: ws}
			c.expect("welcome")
			c.askToJoin("lobby", "bob")
			c.expectError(codeNotYours, "")
			c.join("lobby", "ann", "ann")
			c.leave(wscore.CloseNormal)
		})
	}
}

func TestOpenToThePublicIsWarnedOf(t *testing.T) {
	noLeaks(t)
	for address, want := range map[string]bool{"127.0.0.1:80": false, "[::1]:80": false, "0.0.0.0:80": true, "[::]:80": true, "10.1.2.3:80": true} {
		tcp, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := isPublic(tcp); got != want {
			t.Errorf("%s is public: %v", address, got)
		}
	}
}

func TestForeignOriginsAreRefusedUnlessListed(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t, "-origins", "https://chat.example,https://*.example.org")
	for origin, let := range map[string]bool{"https://chat.example": true, "https://a.example.org": true, "https://evil.example": false, "http://" + p.host(): true} {
		stream, err := net.DialTimeout("tcp", p.host(), patience)
		if err != nil {
			t.Fatal(err)
		}
		_, err = open(t, stream, p.host(), wscore.ConnectOptions{Subprotocols: []string{subprotocol}, Headers: []wscore.HeaderField{{Name: "Origin", Value: origin}}})
		if (err == nil) != let {
			t.Errorf("%s: %v", origin, err)
		}
		_ = stream.Close()
	}
}

// Without NATS nothing is acknowledged, everybody is told, and it mends itself.
func TestUnreachableNATSIsToldAndMends(t *testing.T) {
	dir := t.TempDir()
	server, err := embedded.Start(embedded.Config{Listen: "127.0.0.1:0", StoreDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { server.Close() }()
	at, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	p, _, _ := startChild(t, "-nats", server.URL())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the program says:\n%s", p.log)
		}
	})
	ann := p.dial()
	ann.join("lobby", "ann", "ann")
	ann.say("1", "one")
	one := ann.await("ack", "message") // heard may be what is not acknowledged yet
	server.Close()
	if got := ann.await("state", "message"); got.Storing {
		t.Errorf("told %s", got.raw)
	}
	ann.say("2", "two")
	if got := ann.await("error", "notice", "message"); got.Code != codeUnavailable || got.ID != "2" {
		t.Errorf("got %s", got.raw)
	}
	if server, err = embedded.Start(embedded.Config{Listen: at.Host, StoreDir: dir}); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(patience); !ann.await("state", "ack", "notice", "message").Storing; {
		if time.Now().After(limit) {
			t.Fatal("it does not mend")
		}
	}
	for stored := false; !stored; {
		ann.say("2", "two") // which was stored perhaps: that is once
		got := ann.await("ack", "state", "notice", "message", "error")
		stored = got.ID == "2" && got.Seq > one.Seq
	}
	bob := p.dial()
	bob.askToJoin("lobby", "bob")
	if got := bob.expect("joined").History; len(got) != 2 || got[1].Text != "two" {
		t.Errorf("the history is %+v", got)
	}
}

// The commands beside the chat, as they are run: somebody in a terminal talks to
// a service that has no WebSocket.
func TestTerminalTalksToTheBot(t *testing.T) {
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "./cmd/...").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p, _ := startProgram(t, "-nats-listen", "127.0.0.1:0")
	runCommand := func(name string, args ...string) (*exec.Cmd, io.WriteCloser, *lineWriter) {
		command := exec.Command(filepath.Join(bin, name), args...)
		in, err := command.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out := newLineWriter()
		command.Stdout, command.Stderr = out, out
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = command.Process.Kill() }) // it may be gone
		return command, in, out
	}
	until := func(out *lineWriter, says string) {
		t.Helper()
		for limit := time.Now().Add(patience); !strings.Contains(out.String(), says); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("it does not say %q, but:\n%s", says, out)
			}
		}
	}
	bot, _, botSays := runCommand("bot", "-nats", p.nats)
	until(botSays, "listening")
	terminal, in, says := runCommand("chatcli", "-url", socketURL(p), "-nick", "ann")
	until(says, "-- in lobby as ann")
	ann := p.dial()
	ann.askToJoin("lobby", "BOT")
	ann.expectError(codeNickTaken, "")
	ann.askToJoin("lobby", "bob")
	until(says, "-- join: bob")
	for _, test := range [][2]string{{"!time", "bot: It is "}, {"!who", "bot: There are 2 in this room."}, {"!whisper psst", "bot (to you): You said: psst"}} {
		if _, err := io.WriteString(in, test[0]+"\n"); err != nil {
			t.Fatal(err)
		}
		until(says, test[1])
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := terminal.Wait(); err != nil {
		t.Errorf("chatcli: %v:\n%s", err, says)
	}
	if err := bot.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := bot.Wait(); err != nil {
		t.Errorf("bot: %v:\n%s", err, botSays)
	}
}
