package actor

import (
	"errors"
	"time"

	"go.uber.org/zap"
)

// HubConfig are the settings of a [Hub]. The zero value of a field means its
// default.
type HubConfig struct {
	// Prefix begins the broker's subjects; hubs that are to know each other have
	// the same. Default: "tandem". At most 64 bytes of what names may have.
	Prefix string
	// MaxTopics is how many topics and presences may have something to do with
	// this node at once. Default: 200,000. Over it: [ErrTooManyTopics].
	MaxTopics int
	// MaxMessageBytes is the longest message between nodes. Default: 1,000,000,
	// which fits NATS's own default with the head. Range: 1 to 64 MiB. Over it:
	// [ErrMessageTooLong].
	MaxMessageBytes int
	// Grace is how long a topic stays subscribed at the broker once nobody on
	// this node is left in it. Default: 5 s. Range: 10 ms to 1 h.
	Grace time.Duration
	// MaxMembers is how many members of one presence are known by name, over all
	// nodes. Default: 10,000. Range: 1 to 1,000,000. Over it:
	// [ErrTooManyMembers] for those who join here, and those elsewhere are only
	// counted.
	MaxMembers int
	// MaxMetadata is the longest metadata of a member in bytes. Default: 256.
	// Range: 1 to 4096. Over it: [ErrMetadataTooLong].
	MaxMetadata int
	// PresenceInterval is how often a node says that its members of a presence
	// are still there. Default: 10 s. Range: 100 ms to 1 h. After three of them
	// in silence its members have left.
	PresenceInterval time.Duration
	// PingInterval is the time between two questions to a broker that is a
	// [BrokerPinger]. Default: 5 s. Range: 10 ms to 1 h.
	PingInterval time.Duration
	// PingTimeout bounds the wait for each answer. Default: 10 s. Range: 10 ms to
	// 1 h. Over it: the lag is reported as that.
	PingTimeout time.Duration
	// Observer is told of what goes to and comes from the broker, and of the
	// hub's buffers. Default: nobody.
	Observer Observer
	// Logger is told of failures (warning). Default: nobody.
	Logger *zap.Logger
}

const (
	defaultMaxTopics        = 200_000
	defaultHubMessageBytes  = 1_000_000
	defaultGrace            = 5 * time.Second
	defaultMaxMembers       = 10_000
	defaultMaxMetadata      = 256
	defaultPresenceInterval = 10 * time.Second
	defaultBrokerPing       = 5 * time.Second
	defaultBrokerPatience   = 10 * time.Second
	maxPrefix               = 64
	mostMembers             = 1_000_000 // that MaxMembers may be; times maxPresenceNodes it fits an int of 32 bits
)

func (c HubConfig) withDefaults() (HubConfig, error) {
	fill(&c.Prefix, "tandem")
	fill(&c.MaxTopics, defaultMaxTopics)
	fill(&c.MaxMessageBytes, defaultHubMessageBytes)
	fill(&c.Grace, defaultGrace)
	fill(&c.MaxMembers, defaultMaxMembers)
	fill(&c.MaxMetadata, defaultMaxMetadata)
	fill(&c.PresenceInterval, defaultPresenceInterval)
	fill(&c.PingInterval, defaultBrokerPing)
	fill(&c.PingTimeout, defaultBrokerPatience)
	if c.Observer == nil {
		c.Observer = NopObserver{}
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	var prefix error
	if checkName(c.Prefix, maxPrefix) != nil {
		prefix = &ConfigError{Field: "Prefix", Value: c.Prefix, Range: "1 to 64 letters, digits and - _ . : / @ = + ~"}
	}
	return c, firstError(
		prefix,
		inRange("MaxTopics", c.MaxTopics, 1, 1<<24),
		inRange("MaxMessageBytes", c.MaxMessageBytes, 1, 64<<20),
		inRange("Grace", c.Grace, 10*time.Millisecond, time.Hour),
		inRange("MaxMembers", c.MaxMembers, 1, mostMembers),
		inRange("MaxMetadata", c.MaxMetadata, 1, 4096),
		inRange("PresenceInterval", c.PresenceInterval, 100*time.Millisecond, time.Hour),
		inRange("PingInterval", c.PingInterval, 10*time.Millisecond, time.Hour),
		inRange("PingTimeout", c.PingTimeout, 10*time.Millisecond, time.Hour),
	)
}

// Why a hub refuses something.
var (
	// ErrHubClosed: [Hub.Close] was called.
	ErrHubClosed = errors.New("websocket: the hub is closed")
	// ErrTooManyTopics: HubConfig.MaxTopics.
	ErrTooManyTopics = errors.New("websocket: too many topics on this node")
	// ErrMessageTooLong: HubConfig.MaxMessageBytes.
	ErrMessageTooLong = errors.New("websocket: message too long for the hub")
	// ErrTooManyMembers: HubConfig.MaxMembers.
	ErrTooManyMembers = errors.New("websocket: too many members of one presence")
	// ErrMetadataTooLong: HubConfig.MaxMetadata.
	ErrMetadataTooLong = errors.New("websocket: a member's metadata is too long")
	// ErrMemberID: the id of a member is empty or longer than [MaxMemberID].
	ErrMemberID = errors.New("websocket: a member's id is empty or too long")
	// ErrTooManyWatchers: [MaxWatchers].
	ErrTooManyWatchers = errors.New("websocket: too many watchers of one presence")
)

// BrokerError says that the broker refused; the message reached nobody on
// other nodes.
type BrokerError struct {
	Operation string // "publish" or "subscribe"
	Err       error
}

// Error names the operation and the reason.
func (e *BrokerError) Error() string {
	return "websocket: broker: " + e.Operation + ": " + e.Err.Error()
}

// Unwrap returns the broker's own error.
func (e *BrokerError) Unwrap() error { return e.Err }
