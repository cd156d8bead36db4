package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The streams and subjects. What a room's stream stores, the server publishes
// again on the live subject, with its number and that of the one before.
const (
	roomStream  = "CHAT"
	roomSubject = "chat.room."
	liveSubject = "chat.live."
)

// JetStream is a [Store] on JetStream: one stream with a subject for each room.
type JetStream struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	epoch   string
	claims  *claims
	closing chan struct{}
	closed  chan struct{} // by nats.go, after all its callbacks
	work    sync.WaitGroup
	waiting chan waiting

	mu        sync.Mutex
	known     map[string]bool // rooms with a history
	looked    time.Time       // when they were asked for
	followers map[*func(Message)]struct{}
	watchers  []func(bool)
	down      bool
}

type waiting struct {
	draft Draft
	done  func(Stored, error)
}

// Config says where the streams are.
type Config struct {
	// Connect connects, with further options of the store's own.
	Connect func(...nats.Option) (*nats.Conn, error)
	// Node names this node in claims; it must be unique among all that run.
	Node string
	// Replicas is on how many servers of a cluster everything is stored: 1, 3 or
	// 5. Only with 3 or more a server may be lost. Default: 1.
	Replicas int
}

var _ Store = (*JetStream)(nil)

// The rest of what bounds the store.
const (
	maxMessage      = 16 << 10 // JSON may write one byte as six
	retryPause      = 250 * time.Millisecond
	roomsAgain      = 10 * time.Second
	readTimeout     = 5 * time.Second
	readBatch       = 256
	reconnectWait   = 250 * time.Millisecond
	pingInterval    = 5 * time.Second
	publishAttempts = 2
)

// Open connects and makes the streams if there are none. It waits for a cluster
// that is forming, as long as the context says. [JetStream.Close] ends it.
func Open(ctx context.Context, config Config) (*JetStream, error) {
	s := &JetStream{
		closing: make(chan struct{}), closed: make(chan struct{}), waiting: make(chan waiting, maxWaiting),
		known: make(map[string]bool), followers: make(map[*func(Message)]struct{}),
	}
	var err error
	s.nc, err = config.Connect(
		nats.Name("chat store"), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.PingInterval(pingInterval), nats.FlusherTimeout(2*pingInterval),
		nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait, reconnectWait),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { s.tell(false) }),
		nats.ReconnectHandler(func(*nats.Conn) { s.tell(true); s.look() }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrSlowConsumer) {
				s.look()
			}
		}),
		nats.ClosedHandler(func(*nats.Conn) { close(s.closed) }),
	)
	if err != nil {
		return nil, fmt.Errorf("store: connect: %w", err)
	}
	s.js, err = jetstream.New(s.nc, jetstream.WithPublishAsyncMaxPending(maxWaiting), jetstream.WithPublishAsyncTimeout(appendTimeout))
	if err == nil {
		err = s.open(ctx, config)
	}
	if err != nil {
		s.nc.Close()
		return nil, err
	}
	s.work.Go(s.publish)
	s.claims.start(&s.work, s.closing)
	return s, nil
}

func (s *JetStream) open(ctx context.Context, config Config) error {
	replicas := max(1, config.Replicas)
	stream, err := makeStream(ctx, s.js, jetstream.StreamConfig{
		Name: roomStream, Subjects: []string{roomSubject + "*"}, Storage: jetstream.FileStorage, Replicas: replicas,
		MaxMsgsPerSubject: PerRoom, MaxMsgs: PerRoom * MaxRooms, MaxMsgSize: maxMessage, Discard: jetstream.DiscardOld,
		Duplicates: Window, AllowDirect: true,
		RePublish: &jetstream.RePublish{Source: roomSubject + "*", Destination: liveSubject + "{{wildcard(1)}}"},
	})
	if err != nil {
		return err
	}
	s.epoch = strconv.FormatInt(stream.CachedInfo().Created.UnixMicro(), 36)
	s.claims, err = openClaims(ctx, s.js, config.Node, replicas)
	if err == nil {
		_, err = s.Rooms(ctx)
	}
	return err
}

// makeStream makes a stream, or sets it right, once the cluster is able to.
func makeStream(ctx context.Context, js jetstream.JetStream, config jetstream.StreamConfig) (jetstream.Stream, error) {
	for {
		try, cancel := context.WithTimeout(ctx, readTimeout)
		stream, err := js.CreateOrUpdateStream(try, config)
		cancel()
		if err == nil {
			return stream, nil
		}
		var refusal *jetstream.APIError
		if errors.As(err, &refusal) && refusal.Code == 400 {
			return nil, fmt.Errorf("store: stream %s: %w", config.Name, err)
		}
		pause := time.NewTimer(retryPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, fmt.Errorf("store: stream %s: %w", config.Name, errors.Join(err, ctx.Err()))
		}
	}
}

// Epoch is when the stream was made.
func (s *JetStream) Epoch() string { return s.epoch }

// said is a message as it is stored.
type said struct {
	Nick string `json:"nick"`
	Text string `json:"text"`
	ID   string `json:"id"`
	Conn string `json:"conn,omitempty"`
}

// Append queues a message to be stored.
func (s *JetStream) Append(d Draft, done func(Stored, error)) {
	select {
	case s.waiting <- waiting{d, done}:
	default:
		go done(Stored{}, ErrUnavailable)
	}
}

// publish hands over what is to be stored, in order; that may wait for the
// network.
func (s *JetStream) publish() {
	for {
		select {
		case w := <-s.waiting:
			if !s.hasRoom(w.draft.Room) {
				go w.done(Stored{}, ErrRoomsFull)
				continue
			}
			data, err := json.Marshal(said{Nick: w.draft.Nick, Text: w.draft.Text, ID: w.draft.ID, Conn: w.draft.Conn})
			var future jetstream.PubAckFuture
			if err == nil {
				future, err = s.js.PublishMsgAsync(&nats.Msg{Subject: roomSubject + w.draft.Room, Data: data},
					jetstream.WithMsgID(w.draft.Key), jetstream.WithRetryAttempts(publishAttempts))
			}
			if err != nil {
				go w.done(Stored{}, errors.Join(ErrUnavailable, err))
				continue
			}
			s.work.Go(func() { s.await(future, w.done) })
		case <-s.closing:
			for {
				select {
				case w := <-s.waiting:
					w.done(Stored{}, ErrUnavailable)
				default:
					return
				}
			}
		}
	}
}

func (s *JetStream) await(future jetstream.PubAckFuture, done func(Stored, error)) {
	select {
	case ack := <-future.Ok():
		done(Stored{Seq: ack.Sequence, Again: ack.Duplicate}, nil)
	case err := <-future.Err():
		done(Stored{}, errors.Join(ErrUnavailable, err))
	case <-s.closing:
		done(Stored{}, ErrUnavailable)
	}
}

// hasRoom reports whether a room exists or may begin to.
func (s *JetStream) hasRoom(room string) bool {
	s.mu.Lock()
	known, full := s.known[room], len(s.known) >= MaxRooms
	s.mu.Unlock()
	if !known && full {
		return false
	}
	if !known {
		s.mu.Lock()
		s.known[room] = true
		s.mu.Unlock()
	}
	return true
}

// Rooms asks the stream, at most every few seconds.
func (s *JetStream) Rooms(ctx context.Context) ([]string, error) {
	s.mu.Lock()
	fresh := time.Since(s.looked) < roomsAgain
	s.mu.Unlock()
	if !fresh {
		stream, err := s.js.Stream(ctx, roomStream)
		var info *jetstream.StreamInfo
		if err == nil {
			info, err = stream.Info(ctx, jetstream.WithSubjectFilter(roomSubject+"*"))
		}
		if err != nil {
			return nil, ErrUnavailable
		}
		s.mu.Lock()
		s.looked = time.Now()
		for subject := range info.State.Subjects {
			s.known[strings.TrimPrefix(subject, roomSubject)] = true
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, len(s.known))
	for name := range s.known {
		names = append(names, name)
	}
	return names, nil
}

// Follow subscribes to what the stream publishes again.
func (s *JetStream) Follow(room string, f func(Message)) (stop func(), err error) {
	key := &f
	sub, err := s.nc.Subscribe(liveSubject+room, func(m *nats.Msg) {
		if said, ok := read(m); ok {
			f(said)
		}
	})
	if err == nil {
		err = s.nc.FlushTimeout(readTimeout)
	}
	if err != nil {
		if sub != nil {
			_ = sub.Unsubscribe() // nobody wants it any more
		}
		return nil, ErrUnavailable
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followers[key] = struct{}{}
	return func() {
		_ = sub.Unsubscribe() // fails only when the connection is closed
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.followers, key)
	}, nil
}

// FollowAll is Follow for all rooms.
func (s *JetStream) FollowAll(f func(Message)) (stop func(), err error) { return s.Follow("*", f) }

// read reads a message that was published again, or read from the stream.
func read(m *nats.Msg) (message Message, ok bool) {
	var text said
	subject := m.Header.Get("Nats-Subject")
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil || json.Unmarshal(m.Data, &text) != nil || !strings.HasPrefix(subject, roomSubject) {
		return message, false
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
	if err != nil {
		return message, false
	}
	prev, _ := strconv.ParseUint(m.Header.Get("Nats-Last-Sequence"), 10, 64) // 0 if it is not said
	return Message{
		Room: strings.TrimPrefix(subject, roomSubject), Seq: seq, Prev: prev,
		Nick: text.Nick, Text: text.Text, ID: text.ID, Conn: text.Conn, At: at,
	}, true
}

// look tells all followers to look for what they have missed.
func (s *JetStream) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.followers {
		(*f)(Message{})
	}
}

// Watch is told of the connection.
func (s *JetStream) Watch(f func(available bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers = append(s.watchers, f)
	if s.down {
		f(false)
	}
}

func (s *JetStream) tell(available bool) {
	select {
	case <-s.closing: // which is no loss
		return
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = !available
	for _, f := range s.watchers {
		f(available)
	}
}

// Claim asks for a nickname.
func (s *JetStream) Claim(ctx context.Context, room, nick, owner string) error {
	return s.claims.claim(ctx, room, nick, owner)
}

// Release gives it back, some time later.
func (s *JetStream) Release(room, nick, _ string) { s.claims.release(room, nick) }

// Close ends the connection; what waits to be stored is refused.
func (s *JetStream) Close() {
	close(s.closing)
	s.work.Wait()
	if s.nc.IsConnected() {
		s.claims.leave()
	}
	s.nc.Close()
	<-s.closed
}
