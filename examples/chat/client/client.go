// Package client is a client of the chat, for programs: it stays in a room
// whatever happens to its connection, gets each message once and in order, and
// keeps what is to be said until it is stored.
package client

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
)

// Config are the settings of a [Client]. URLs, Room and Nick are needed.
type Config struct {
	// URLs are the nodes of the chat, such as ws://127.0.0.1:8080/ws. Whenever one
	// is lost or does not answer the next one is tried.
	URLs []string
	Room string
	Nick string
	// Token is shown in the handshake. Default: none.
	Token string
	// MaxQueued is how many messages may wait to be stored. Default: 256. Over it:
	// [ErrFull].
	MaxQueued int
	// Events is told of everything, one event at a time: [Joined], [Message],
	// [Gap], [Notice], [Typing], [Whisper], [Stored], [Failed], [State], [Refused]. It must
	// not block. Default: nobody.
	Events func(event any)
	// Conn are settings of the connections; where there are many clients they
	// should share one Readiness.
	Conn actor.ConnConfig
	// MaxBackoff is the longest wait before an attempt to connect again. Default:
	// 5 s.
	MaxBackoff time.Duration
}

// What the client tells.
type (
	// Joined: the client is in its room, for the first time or again.
	Joined struct {
		Room, Nick, Node string
		Members          []string
	}
	// Message was said, by whomever. Seq grows; none comes twice.
	Message struct {
		Room, Nick, Text, ID string
		Seq                  uint64
		At                   time.Time
	}
	// Gap: messages between the last one and the next cannot be had any more.
	Gap struct{}
	// Notice: somebody came ("join") or went ("leave").
	Notice struct {
		Kind, Nick string
		Members    []string // nil: another notice follows
	}
	// Whisper: a service says something to this client alone. It is not kept.
	Whisper struct{ Nick, Text string }
	// Typing: somebody is writing something.
	Typing struct{ Nick string }
	// Stored: what was said under that id is in the history, for good.
	Stored struct {
		ID  string
		Seq uint64
	}
	// Failed: it is not going to be sent any more. It may have been stored if
	// Unknown is set.
	Failed struct {
		ID, Text, Code string
		Unknown        bool
	}
	// State is that of the connection, and whether the chat can store.
	State struct{ Connected, Storing bool }
	// Refused: the room did not let the client in. It tries again where that may
	// help.
	Refused struct{ Code, Text string }
)

// Why Say refuses.
var (
	// ErrFull: Config.MaxQueued.
	ErrFull = errors.New("chat client: too many messages wait to be stored")
	// ErrClosed: [Client.Close] was called.
	ErrClosed = errors.New("chat client: closed")
)

const (
	subprotocol       = "chat.v1+json"
	defaultMaxQueued  = 256
	defaultMaxBackoff = 5 * time.Second
	// defaultMaxAge is how long a message is tried if the server does not say.
	defaultMaxAge = 90 * time.Second
	// answerTimeout is how long the server may take to answer. Over it: the
	// message is sent again, or the connection is given up.
	answerTimeout = 10 * time.Second
	// retryPause is what passes before something that was refused is tried again.
	retryPause = 500 * time.Millisecond
	// policyPause is what passes before a server is tried again that has closed
	// with 1008.
	policyPause = 3 * time.Second
	// upkeepInterval is how often is looked for what is overdue.
	upkeepInterval = 250 * time.Millisecond
)

// Client stays in one room. All methods may be called from any goroutine.
type Client struct {
	config Config
	name   string // by which the chat knows it again
	dialer *actor.Dialer
	dials  int // of the dialer's goroutine

	telling sync.Mutex // one event at a time; taken before mu

	mu      sync.Mutex
	conn    *actor.Conn // nil without a connection
	joined  bool        // on it
	asked   time.Time   // when it asked to join; zero if an answer came
	again   time.Time   // when it asks again; zero for not
	queue   []*entry    // oldest first; only the first one is under way
	paused  time.Time   // until when nothing is sent
	maxAge  time.Duration
	epoch   string
	last    uint64
	node    string
	closed  bool
	closing chan struct{}
	work    sync.WaitGroup
}

// entry is a message that waits to be stored.
type entry struct {
	id, text string
	at       time.Time
	sent     time.Time // on this connection; zero if not
	tried    bool      // on whatever connection
}

// New makes a client and begins to connect. The error is that of
// [actor.NewDialer]. [Client.Close] ends it.
func New(engine *actor.Engine, config Config) (*Client, error) {
	if len(config.URLs) == 0 {
		return nil, &actor.ConfigError{Field: "URLs", Value: config.URLs, Range: "at least one"}
	}
	if config.MaxQueued == 0 {
		config.MaxQueued = defaultMaxQueued
	}
	if config.MaxBackoff == 0 {
		config.MaxBackoff = defaultMaxBackoff
	}
	if config.Events == nil {
		config.Events = func(any) {}
	}
	c := &Client{config: config, name: newID(), maxAge: defaultMaxAge, closing: make(chan struct{})}
	header := http.Header{}
	if config.Token != "" {
		header.Set("Authorization", "Bearer "+config.Token)
	}
	dialer, err := actor.NewDialer(engine, func(*actor.Established) (actor.Receiver, error) { return &session{c}, nil }, actor.DialerConfig{
		ConnConfig: config.Conn, MaxBackoff: config.MaxBackoff, Retry: again,
		Dial: split.DialConfig{URL: config.URLs[0], Subprotocols: []string{subprotocol}, Header: header, Proxy: split.ProxyFromEnvironment},
		Prepare: func(_ context.Context, next *actor.NextDial) error {
			next.Dial.URL = config.URLs[c.dials%len(config.URLs)]
			c.dials++
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	c.dialer = dialer
	c.work.Go(c.upkeep)
	return c, nil
}

// again lets the dialer decide, but for a server that did not hear in time what
// a client on a busy machine had to say, and for one that is restarted and says
// how soon others will have it.
func again(a actor.Attempt) actor.Decision {
	if a.Closed != nil && a.Closed.Code == 1008 && a.Closed.Initiator == actor.Remote {
		return actor.Decision{Again: true, After: policyPause}
	}
	if within, ok := retryHint(a.Closed); ok {
		return actor.Decision{Again: true, After: rand.N(within + 1)}
	}
	return a.Default
}

// maxHint bounds the wait that a server may ask for.
const maxHint = time.Minute

// retryHint returns the time within which a server that is restarted wants the
// client back, from the reason beside 1012.
func retryHint(closed *actor.Closed) (within time.Duration, ok bool) {
	if closed == nil || closed.Code != 1012 || closed.Initiator != actor.Remote {
		return 0, false
	}
	var milliseconds int64
	if _, err := fmt.Sscanf(closed.Reason, "restarting, retry within %d ms", &milliseconds); err != nil {
		return 0, false
	}
	within = time.Duration(milliseconds) * time.Millisecond
	return within, within >= 0 && within <= maxHint
}

// newID makes an id that nobody else has.
func newID() string {
	var random [12]byte
	_, _ = cryptorand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// Say queues a message and returns its id; [Stored] or [Failed] follows. What
// one goroutine says is stored in its order.
func (c *Client) Say(text string) (id string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return "", ErrClosed
	case len(c.queue) >= c.config.MaxQueued:
		return "", ErrFull
	}
	e := &entry{id: newID(), text: text, at: time.Now()}
	c.queue = append(c.queue, e)
	c.pump()
	return e.id, nil
}

// Typing tells the others that something is being written.
func (c *Client) Typing() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.send(request{Type: "typing"})
}

// Last returns the number of the last message that was told.
func (c *Client) Last() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Waiting returns how many messages wait to be stored.
func (c *Client) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// Done is closed when the client has ended, by Close or because the chat does
// not want it.
func (c *Client) Done() <-chan struct{} { return c.dialer.Done() }

// Err returns why the client has ended by itself, or nil.
func (c *Client) Err() error { return c.dialer.Err() }

// Close says goodbye and ends the client. What was not stored is lost.
func (c *Client) Close() {
	c.mu.Lock()
	conn, first := c.conn, !c.closed
	c.closed = true
	c.mu.Unlock()
	if first {
		close(c.closing)
	}
	if conn != nil {
		_ = conn.Close(1000, "") // it may be closing already
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	_ = c.dialer.Shutdown(ctx) // what does not end in time is cut off
	c.work.Wait()
}

// tell calls the user, without the client's lock.
func (c *Client) tell(events ...any) {
	for _, event := range events {
		c.config.Events(event)
	}
}

// upkeep looks for what is overdue.
func (c *Client) upkeep() {
	ticker := time.NewTicker(upkeepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.telling.Lock()
			c.tell(c.overdue(time.Now())...)
			c.telling.Unlock()
		case <-c.closing:
			return
		case <-c.dialer.Done():
			return
		}
	}
}

func (c *Client) overdue(now time.Time) (events []any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 && now.Sub(c.queue[0].at) > c.maxAge {
		e := c.queue[0]
		c.queue = c.queue[1:]
		events = append(events, Failed{ID: e.id, Text: e.text, Code: "too_old", Unknown: e.tried})
	}
	isLate := func(since time.Time) bool { return !since.IsZero() && now.Sub(since) > answerTimeout }
	if isLate(c.asked) || len(c.queue) > 0 && isLate(c.queue[0].sent) {
		c.asked = time.Time{}
		for _, e := range c.queue {
			e.sent = time.Time{}
		}
		_ = c.conn.Close(3100, "no answer") // the dialer connects again
		return events
	}
	if !c.again.IsZero() && now.After(c.again) {
		c.join()
	}
	c.pump()
	return events
}

// pump sends the oldest message. The next one follows when it is stored: so the
// order stands, whatever is refused. The caller holds the lock, as for all that
// follows.
func (c *Client) pump() {
	if !c.joined || len(c.queue) == 0 || !c.queue[0].sent.IsZero() || time.Now().Before(c.paused) {
		return
	}
	e := c.queue[0]
	if c.send(request{Type: "say", ID: e.id, Text: e.text}) {
		e.sent, e.tried = time.Now(), true
	}
}

func (c *Client) join() {
	c.again = time.Time{}
	if c.send(request{Type: "join", Room: c.config.Room, Nick: c.config.Nick, Client: c.name, After: c.last, Epoch: c.epoch}) {
		c.asked = time.Now()
	}
}

func (c *Client) send(r request) bool { return c.conn != nil && c.conn.SendJSON(r) == nil }
