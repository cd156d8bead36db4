package split

import (
	"net"
	"sync"
	"testing"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

// sharer is a writer that compresses, over a wire that notes where its bytes
// come from.
type sharer struct {
	*Writer
	t     *testing.T
	out   *wire
	first *byte // of the newest write
}

func newSharer(t *testing.T, role wscore.Role, config *Config, params wscore.DeflateParams) *sharer {
	t.Helper()
	r, w, err := New(role, config, params)
	must(t, err)
	s := &sharer{Writer: w, t: t}
	s.out = &wire{onWrite: func(vectors net.Buffers) error { s.first = &vectors[len(vectors)-1][0]; return nil }}
	w.Bind(s.out)
	t.Cleanup(func() { r.Discard(); w.Shut() })
	return s
}

// send sends and flushes.
func (s *sharer) send(b *Buffer) {
	s.t.Helper()
	_, err := s.Send(b)
	must(s.t, err)
	_, err = s.Flush()
	must(s.t, err)
}

// wrote returns the only frame that was written, and its payload inflated.
func (s *sharer) wrote() (rawpeer.Frame, string) {
	s.t.Helper()
	receiver := rawpeer.Client
	if s.role == wscore.Client {
		receiver = rawpeer.Server
	}
	frames := framesOf(s.t, s.out.all(), receiver)
	equal(s.t, "frames", len(frames), 1)
	f := frames[0]
	if f.RSV == 0 {
		return f, string(f.Payload)
	}
	return f, inflate(s.t, string(f.Payload), "")
}

// shareable returns a config whose writers compress without takeover.
func shareable(t *testing.T) (*Config, *ledger, wscore.DeflateParams) {
	t.Helper()
	deflate, params := agreement(false, 15)
	config, l := newConfig(t, Config{Deflate: deflate})
	return config, l, params
}

func prepared(config *Config, text string) *Buffer {
	b := config.Pool.Text(text)
	b.Prepare()
	return b
}

func TestSharedMessageIsCompressedOnceAndWrittenFromOnePlace(t *testing.T) {
	for _, size := range []int{500, 200_000} {
		config, l, params := shareable(t)
		message := prepared(config, prose(size))
		before := string(message.memory)
		var place *byte
		for range 10 {
			s := newSharer(t, wscore.Server, config, params)
			s.send(message.Retain())
			f, got := s.wrote()
			equal(t, "compressed", f.RSV, rawpeer.RSV1)
			equal(t, "message arrived", got == prose(size), true)
			if place == nil {
				place = s.first
			}
			equal(t, "written from the same place", s.first == place, true)
			equal(t, "length that the observer hears", l.written[len(l.written)-1], frameNote{wscore.OpText, len(f.Payload)})
		}
		equal(t, "buffers acquired", total(l.acquired), 2)
		equal(t, "memory is as before", string(message.memory) == before, true)
		equal(t, "InUse while the message is", config.Pool.InUse(), 2)
		message.Release()
		equal(t, "InUse", config.Pool.InUse(), 0)
	}
}

func TestOneCompressedFormForEachLevelAndWindow(t *testing.T) {
	config, l, params := shareable(t)
	strong := *config
	stronger := *config.Deflate
	stronger.Level = 9
	strong.Deflate = &stronger
	narrow := params
	narrow.SendWindowBits = 9
	message := prepared(config, prose(20_000))
	lengths := map[int]bool{}
	for range 3 {
		for _, c := range []struct {
			config *Config
			params wscore.DeflateParams
		}{{config, params}, {config, narrow}, {&strong, params}} {
			s := newSharer(t, wscore.Server, c.config, c.params)
			s.send(message.Retain())
			f, got := s.wrote()
			equal(t, "message arrived", got == prose(20_000), true)
			lengths[len(f.Payload)] = true
		}
	}
	equal(t, "different forms", len(lengths), 3)
	equal(t, "buffers acquired", total(l.acquired), 1+3)
	message.Release()
}

func TestThatAMessageDoesNotShrinkIsRemembered(t *testing.T) {
	config, l, params := shareable(t)
	message := config.Pool.Binary([]byte(noise(3, 5000)))
	message.Prepare()
	for range 5 {
		s := newSharer(t, wscore.Server, config, params)
		s.send(message.Retain())
		f, got := s.wrote()
		equal(t, "compressed", f.RSV, 0)
		equal(t, "message arrived", got == noise(3, 5000), true)
		equal(t, "written in place", s.first == &message.memory[Headroom-4], true)
	}
	equal(t, "buffers acquired", total(l.acquired), 2) // the message, and one attempt
	equal(t, "InUse while the message is", config.Pool.InUse(), 1)
	message.Release()
}

func TestShortMessagesAndTakeoverShareNoCompressedForm(t *testing.T) {
	config, _, params := shareable(t)
	short := prepared(config, "short")
	s := newSharer(t, wscore.Server, config, params)
	s.send(short.Retain())
	equal(t, "on the wire", s.out.all(), serverFrames(textFrame("short")))
	equal(t, "compressed forms of a short message", short.variants.Load() == nil, true)
	short.Release()

	params.SendTakeover = true
	message := prepared(config, prose(1000))
	s = newSharer(t, wscore.Server, config, params)
	s.send(message.Retain())
	equal(t, "shared forms with takeover", message.variants.Load() == nil, true)
	message.Release()

	params.SendTakeover = false
	message = config.Pool.Text(prose(1000)) // not prepared
	s = newSharer(t, wscore.Server, config, params)
	s.send(message.Retain())
	equal(t, "shared forms of what is not prepared", message.variants.Load() == nil, true)
	message.Release()
}

func TestSharedFormIsPackedBesideOthersAndNeverChanged(t *testing.T) {
	for _, role := range []wscore.Role{wscore.Server, wscore.Client} {
		for _, size := range []int{5000, 200_000} { // of the compressed forms one is packed and the other not
			config, _, params := shareable(t)
			message := prepared(config, prose(size))
			var form string
			for range 3 {
				s := newSharer(t, role, config, params)
				vectors := 0
				s.out.onWrite = func(v net.Buffers) error { vectors = len(v); return nil }
				_, err := s.SendText("before")
				must(t, err)
				_, err = s.Send(message.Retain())
				must(t, err)
				_, err = s.SendText("after")
				must(t, err)
				_, err = s.Flush()
				must(t, err)
				receiver := rawpeer.Client
				if role == wscore.Client {
					receiver = rawpeer.Server
				}
				frames := framesOf(t, s.out.all(), receiver)
				equal(t, "frames", len(frames), 3)
				equal(t, "message arrived", inflate(t, string(frames[1].Payload), "") == prose(size), true)
				equal(t, "last frame", string(frames[2].Payload), "after")
				equal(t, "packed", vectors == 1, len(frames[1].Payload) <= packLimit)
				memory := string(message.variants.Load().form.memory)
				equal(t, "shared form is as before", form == "" || memory == form, true)
				form = memory
			}
			equal(t, "packed sizes are tested too", message.variants.Load().form.Len() <= packLimit, size == 5000)
			message.Release()
		}
	}
}

// The last owner may change a message and share it again.
func TestChangedMessageIsCompressedAnew(t *testing.T) {
	config, _, params := shareable(t)
	message := prepared(config, prose(5000))
	for name, change := range map[string]func(){
		"resized":  func() { _, _ = message.Resize(4000) },
		"retyped":  func() { message.SetOpcode(wscore.OpBinary) },
		"in place": func() { message.Payload()[0] = '!' },
	} {
		s := newSharer(t, wscore.Server, config, params)
		s.send(message.Retain())
		change()
		message.Prepare()
		s = newSharer(t, wscore.Server, config, params)
		s.send(message.Retain())
		f, got := s.wrote()
		equal(t, "message arrived when "+name, got == string(message.Payload()), true)
		equal(t, "type when "+name, f.Opcode, byte(message.Opcode()))
	}
	message.Release()
}

func TestSharedFormOutlivesTheMessagesOtherOwners(t *testing.T) {
	config, _, params := shareable(t)
	message := prepared(config, prose(50_000))
	s := newSharer(t, wscore.Server, config, params)
	s.out.takes = []int{100}
	_, err := s.Send(message.Retain())
	must(t, err)
	_, err = s.TryFlush()
	equal[error](t, "try", err, ErrWouldBlock)
	message.Release()
	_, err = s.Flush()
	must(t, err)
	_, got := s.wrote()
	equal(t, "message arrived", got == prose(50_000), true)
}

func TestConcurrentWritersShareOneCompressedForm(t *testing.T) {
	for range 20 {
		config, l, params := shareable(t)
		message := prepared(config, prose(30_000))
		var all sync.WaitGroup
		var writers []*sharer
		for range 8 {
			s := newSharer(t, wscore.Server, config, params)
			writers = append(writers, s)
			_, err := s.Send(message.Retain())
			must(t, err)
		}
		message.Release()
		for _, s := range writers {
			all.Go(func() {
				if _, err := s.Flush(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		equal(t, "buffers acquired", total(l.acquired), 2)
		equal(t, "InUse", config.Pool.InUse(), 0)
		for _, s := range writers {
			_, got := s.wrote()
			equal(t, "message arrived", got == prose(30_000), true)
		}
	}
}
