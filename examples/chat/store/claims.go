package store

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// claims are the nicknames that are taken: a stream with one message for each,
// written only if nobody has been faster. A claim holds as long as its node
// says that it is there.
type claims struct {
	js       jetstream.JetStream
	stream   jetstream.Stream
	nodes    jetstream.Stream
	node     string
	releases chan uint64 // the numbers of claims

	mu   sync.Mutex
	mine map[string]uint64 // the number of each claim of this node
}

const (
	claimStream  = "CHAT_CLAIMS"
	claimSubject = "chat.claim."
	nodeStream   = "CHAT_NODES"
	nodeSubject  = "chat.node."

	// nodeInterval is how often a node says that it is there; after nodeTimeout
	// in silence what it has claimed is free.
	nodeInterval = 2 * time.Second
	nodeTimeout  = 3 * nodeInterval
	// claimAttempts is how often a claim is tried that others were faster with.
	claimAttempts = 5
	// maxReleases is how many nicknames may wait to be given back. Over it: they
	// stay taken as long as this node runs, but for who had them.
	maxReleases = 4096
)

func openClaims(ctx context.Context, js jetstream.JetStream, node string, replicas int) (*claims, error) {
	c := &claims{js: js, node: node, releases: make(chan uint64, maxReleases), mine: make(map[string]uint64)}
	var err error
	c.stream, err = makeStream(ctx, js, jetstream.StreamConfig{
		Name: claimStream, Subjects: []string{claimSubject + ">"}, Storage: jetstream.FileStorage, Replicas: replicas, MaxMsgsPerSubject: 1,
	})
	if err != nil {
		return nil, err
	}
	c.nodes, err = makeStream(ctx, js, jetstream.StreamConfig{
		Name: nodeStream, Subjects: []string{nodeSubject + ">"}, Storage: jetstream.FileStorage, Replicas: replicas, MaxMsgsPerSubject: 1, MaxAge: nodeTimeout,
	})
	if err == nil {
		err = c.alive(ctx)
	}
	return c, err
}

// leave says that this node is gone, and with it all that it has claimed.
func (c *claims) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), nodeInterval)
	defer cancel()
	_ = c.nodes.Purge(ctx, jetstream.WithPurgeSubject(nodeSubject+c.node)) // otherwise it shows in time
}

func (c *claims) alive(ctx context.Context) error {
	_, err := c.js.Publish(ctx, nodeSubject+c.node, nil)
	return err
}

// start says that this node is there, and gives back what is released.
func (c *claims) start(work *sync.WaitGroup, closing <-chan struct{}) {
	work.Go(func() {
		ticker := time.NewTicker(nodeInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				ctx, cancel := context.WithTimeout(context.Background(), nodeInterval)
				_ = c.alive(ctx) // the next one follows
				cancel()
			case <-closing:
				return
			}
		}
	})
	work.Go(func() {
		for {
			select {
			case seq := <-c.releases:
				ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
				_ = c.stream.DeleteMsg(ctx, seq) // gone, if there is a newer claim
				cancel()
			case <-closing:
				return
			}
		}
	})
}

func claimKey(room, nick string) string {
	return claimSubject + room + "." + hex.EncodeToString([]byte(nick))
}

func (c *claims) claim(ctx context.Context, room, nick, owner string) error {
	subject, value := claimKey(room, nick), c.node+"/"+owner
	for range claimAttempts {
		last, err := c.stream.GetLastMsgForSubject(ctx, subject)
		seq := uint64(0)
		switch {
		case err == nil:
			seq = last.Sequence
			node, has, _ := strings.Cut(string(last.Data), "/")
			if has != owner {
				switch lives, err := c.lives(ctx, node); {
				case err != nil:
					return ErrUnavailable
				case lives:
					return ErrTaken
				}
			}
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			return ErrUnavailable
		}
		// Also if it is ours already: a release that is on its way is for the number
		// before.
		ack, err := c.js.Publish(ctx, subject, []byte(value), jetstream.WithExpectLastSequencePerSubject(seq))
		if err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.mine[subject] = ack.Sequence
			return nil
		}
		var refusal *jetstream.APIError
		if !errors.As(err, &refusal) || refusal.ErrorCode != jetstream.JSErrCodeStreamWrongLastSequence {
			return ErrUnavailable
		}
	}
	return ErrTaken
}

func (c *claims) lives(ctx context.Context, node string) (bool, error) {
	if node == c.node {
		return true, nil
	}
	_, err := c.nodes.GetLastMsgForSubject(ctx, nodeSubject+node)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (c *claims) release(room, nick string) {
	subject := claimKey(room, nick)
	c.mu.Lock()
	seq, has := c.mine[subject]
	delete(c.mine, subject)
	c.mu.Unlock()
	if has {
		select {
		case c.releases <- seq:
		default:
		}
	}
}
