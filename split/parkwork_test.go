package split

import (
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// laborer is a handler whose work a test decides on: each byte that arrives
// is one piece of it.
type laborer struct {
	work    func(b byte, watched bool)
	verdict Verdict // beside WorkDue
	late    chan byte

	pending chan byte
	now     atomic.Int32 // the byte that is worked at
	ended   chan struct{}
}

func (l *laborer) Fill(source io.Reader) error {
	var b [1]byte
	n, err := source.Read(b[:])
	if n == 1 {
		l.pending <- b[0]
		return nil
	}
	return err
}

func (l *laborer) Drain(err error) Verdict {
	if err != nil {
		close(l.ended)
		return Stop
	}
	return l.verdict | WorkDue
}

func (l *laborer) Work(watched bool) {
	b := <-l.pending
	l.now.Store(int32(b))
	l.work(b, watched)
}

func (l *laborer) Late() { l.late <- byte(l.now.Load()) }

func hire(t *testing.T, p Readiness, work func(b byte, watched bool)) (*laborer, net.Conn) {
	t.Helper()
	l := &laborer{work: work, late: make(chan byte, 64), pending: make(chan byte, 64), ended: make(chan struct{})}
	server, client := loopback(t, "tcp", "127.0.0.1:0")
	transport, err := p.Attach(server, nil, l)
	must(t, err)
	transport.Start()
	t.Cleanup(func() {
		_, _ = client.Close(), transport.Close()
		receive(t, "the end", l.ended)
	})
	return l, client
}

func say(t *testing.T, conn net.Conn, what string) {
	t.Helper()
	_, err := io.WriteString(conn, what)
	must(t, err)
}

// shop is a laborer that is hired for a pipe, in a bubble.
type shop struct {
	*laborer
	Transport
	client  net.Conn
	release chan struct{} // ends what is stuck
	done    chan byte
}

// inShop runs a test in a bubble. Bytes that are capital letters are stuck at
// until they are released, and "x" ends its goroutine.
func inShop(t *testing.T, early string, test func(t *testing.T, s *shop)) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		s := &shop{client: client, release: make(chan struct{}), done: make(chan byte, 64)}
		s.laborer = &laborer{late: make(chan byte, 64), pending: make(chan byte, 64), ended: make(chan struct{})}
		s.work = func(b byte, watched bool) {
			equal(t, "watched", watched, true)
			if b < 'a' {
				<-s.release
			}
			if b == 'x' || b == 'X' {
				runtime.Goexit()
			}
			s.done <- b
		}
		var err error
		s.Transport, err = NewParked().Attach(server, []byte(early), s.laborer)
		must(t, err)
		s.Start()
		test(t, s)
		must(t, client.Close(), s.Close())
		<-s.ended // and only once, or it panics
	})
}

// does waits for these pieces of work to be done.
func (s *shop) does(t *testing.T, bytes string) {
	t.Helper()
	for _, b := range []byte(bytes) {
		equal(t, "done", string(<-s.done), string(b))
	}
}

func TestParkedReadingGoesOnWhileWorkIsStuck(t *testing.T) {
	inShop(t, "", func(t *testing.T, s *shop) {
		say(t, s.client, "S")
		began := time.Now()
		equal(t, "late at", <-s.late, 'S')
		equal(t, "held up for at most two looks", time.Since(began), 2*parkPatience)
		say(t, s.client, "tuv")
		s.does(t, "tuv")
		close(s.release)
		s.does(t, "S")
		say(t, s.client, "w") // is read by the goroutine that took over, and nobody else
		s.does(t, "w")
		equal(t, "others that were late", len(s.late), 0)
	})
}

func TestParkedReadingOutlivesWorkThatEndsItsGoroutine(t *testing.T) {
	inShop(t, "", func(t *testing.T, s *shop) {
		say(t, s.client, "xh")
		s.does(t, "h")
	})
}

func TestParkedWorkThatEndsItsGoroutineTooLateStartsNoSecondReader(t *testing.T) {
	inShop(t, "", func(t *testing.T, s *shop) {
		say(t, s.client, "X")
		<-s.late
		close(s.release)
		synctest.Wait()
		say(t, s.client, "h")
		s.does(t, "h")
	})
}

func TestParkedStreamCanBeClosedWhileWorkIsStuck(t *testing.T) {
	for _, relieved := range []bool{false, true} {
		inShop(t, "", func(t *testing.T, s *shop) {
			say(t, s.client, "S")
			if relieved {
				<-s.late
			}
			must(t, s.Close())
			<-s.ended // while the work is stuck
			close(s.release)
		})
	}
}

func TestParkedStreamStaysPausedWhenItsReaderIsRelieved(t *testing.T) {
	inShop(t, "", func(t *testing.T, s *shop) {
		s.verdict = Pause
		say(t, s.client, "S")
		<-s.late
		written := make(chan error, 1)
		go func() {
			_, err := s.client.Write([]byte("t"))
			written <- err
		}()
		synctest.Wait()
		equal(t, "writes that came through", len(written), 0)
		s.verdict = Park
		s.pending <- 'r' // what Drain finds undelivered after a pause
		s.Resume()
		must(t, <-written)
		s.does(t, "rt")
		close(s.release)
		s.does(t, "S")
	})
}

func TestEarlyBytesAreDeliveredThoughTheFirstIsStuck(t *testing.T) {
	inShop(t, "Sab", func(t *testing.T, s *shop) {
		<-s.late
		say(t, s.client, "c")
		s.does(t, "abc")
		close(s.release)
		s.does(t, "S")
	})
}

func TestWatchOverParkedWorkRests(t *testing.T) {
	inShop(t, "", func(t *testing.T, s *shop) {
		say(t, s.client, "abc")
		s.does(t, "abc")
		time.Sleep(3 * parkPatience)
		watch := s.Transport.(parkedStream).parked().watch
		watch.mu.Lock()
		defer watch.mu.Unlock()
		equal(t, "looks on", watch.looking, false)
		equal(t, "late", len(s.late), 0)
	})
}

// Without a watch each piece of work has a goroutine, and the reader its own.
func TestParkedWorkWithoutAWatchIsNotWatched(t *testing.T) {
	done := make(chan bool, 4)
	_, client := hire(t, Parked{}, func(_ byte, watched bool) { done <- watched })
	say(t, client, "x")
	equal(t, "watched", receive(t, "work", done), false)
}
