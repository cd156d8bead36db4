package split

import (
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// A decision that is stuck keeps its place, whatever became of the client, so
// that there are never more of them than MaxHandshakes.
func TestStuckDecisionsAreCountedUntilTheyReturn(t *testing.T) {
	everyAcceptor(t, AcceptConfig{Timeout: 500 * time.Millisecond, MaxHandshakes: 1}, func(a *acceptTest) {
		begun, goOn := make(chan struct{}, 8), make(chan struct{})
		a.decides(func(h *Handshake) error {
			begun <- struct{}{}
			<-goOn
			return a.open(h, wscore.Answer{})
		})
		stuck := a.dial()
		send(stuck, handshakeHead)
		receive(a.t, "the decision", begun)
		must(a.t, stuck.SetReadDeadline(time.Now().Add(time.Second)))
		_, _ = stuck.Read(make([]byte, 1)) // a poller ends the stream when the time is over
		equal(a.t, "handshakes in progress", a.Underway(), 1)
		close(goOn)
		for a.Underway() > 0 {
			runtime.Gosched()
		}
		if err := receive(a.t, "what became of it", a.failed); err == nil {
			a.t.Error("reported nothing")
		}
	})
}

// A client that has gone by the time of its answer is reported once, whatever
// Decide makes of that and however late it returns.
func TestAnswersThatNobodyTakesAreReportedOnce(t *testing.T) {
	for name, result := range map[string]func(error) error{
		"returned":  func(err error) error { return err },
		"swallowed": func(error) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			everyAcceptor(t, AcceptConfig{}, func(a *acceptTest) {
				gone, passed := make(chan struct{}), make(chan struct{})
				a.decides(func(h *Handshake) error {
					if string(h.Path()) != "/gone" {
						return a.open(h, wscore.Answer{})
					}
					<-gone
					_, err := h.Accept(wscore.Answer{}, &echo{})
					if err == nil {
						a.t.Error("the answer was taken")
					}
					<-passed // the poll loop has seen the stream's end by then
					return result(err)
				})
				raw := a.dialRaw()
				conn := raw
				if a.tls != nil {
					secured := tls.Client(raw, &tls.Config{InsecureSkipVerify: true}) // #nosec: its own certificate
					must(a.t, secured.Handshake())
					conn = secured
				}
				send(conn, "GET /gone"+handshakeHead[len("GET /chat?room=1"):])
				for len(a.failed) == 0 && a.Underway() == 0 {
					runtime.Gosched()
				}
				other := a.dial() // this decision blocks nobody, but the loop may have to change hands
				send(other, handshakeHead)
				a.hears(other, switched)
				must(a.t, raw.(*net.TCPConn).SetLinger(0), raw.Close())
				close(gone)
				last := a.dial()
				send(last, handshakeHead)
				a.hears(last, switched)
				close(passed)
				a.failsWith("the end", func(err error) bool {
					var transport *TransportError
					return errors.As(err, &transport)
				})
				for a.Underway() > 0 {
					runtime.Gosched()
				}
				_, _ = other.Close(), last.Close()
			})
		})
	}
}

// Probes of load balancers and others that never say a word are nobody's
// failure, also where TLS was to come.
func TestConnectionsThatSendNothingAreNotReported(t *testing.T) {
	everyAcceptor(t, AcceptConfig{Timeout: 500 * time.Millisecond}, func(a *acceptTest) {
		probe, silent := a.dialRaw(), a.dialRaw()
		for a.Underway() < 2 {
			runtime.Gosched()
		}
		_ = probe.Close()
		if n, err := silent.Read(make([]byte, 1)); err == nil {
			a.t.Errorf("heard %d bytes", n)
		}
		for a.Underway() > 0 {
			runtime.Gosched()
		}
		a.quiet()
	})
}

// timeless is a stream that knows no deadlines.
type timeless struct{ net.Conn }

func (timeless) SetDeadline(time.Time) error      { return nil }
func (timeless) SetReadDeadline(time.Time) error  { return nil }
func (timeless) SetWriteDeadline(time.Time) error { return nil }

// single is a listener with one connection.
type single struct {
	conn   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conn:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *single) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *single) Addr() net.Addr { return &net.TCPAddr{} }

// A stream without deadlines gives its place up too, so that a shutdown ends.
func TestStreamWithoutDeadlinesIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, err := NewAcceptor(AcceptConfig{Decide: func(*Handshake) error { return wscore.Reject(404, "") }, Readiness: NewParked(), Timeout: time.Second})
		must(t, err)
		near, far := net.Pipe()
		l := &single{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
		l.conn <- timeless{near}
		served := make(chan error, 1)
		go func() { served <- a.Serve(l) }()
		synctest.Wait()
		equal(t, "handshakes in progress", a.Underway(), 1)
		time.Sleep(time.Second + 3*refusalLinger)
		synctest.Wait()
		equal(t, "handshakes in progress later", a.Underway(), 0)
		must(t, a.Shutdown(t.Context()), far.Close())
		equal(t, "the end of Serve", <-served, error(ErrAcceptorClosed))
	})
}
