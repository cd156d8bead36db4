package actor

import (
	hollywood "github.com/anthdm/hollywood/actor"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// Hollywood's types under this package's name, so that a service imports one
// package named actor.
type (
	// Receiver handles messages; a session is one.
	Receiver = hollywood.Receiver
	// Context is what a Receiver sees of one message.
	Context = hollywood.Context
	// PID is an actor's address.
	PID = hollywood.PID
	// Engine runs actors.
	Engine = hollywood.Engine
	// Initialized is the first message of every actor.
	Initialized = hollywood.Initialized
	// Started follows Initialized.
	Started = hollywood.Started
	// Stopped is the last message of every actor.
	Stopped = hollywood.Stopped
)

// The parts of the packages below that a service uses.
type (
	// Buffer is a message in memory of fixed capacity; see [split.Buffer] for
	// who may touch it.
	Buffer = split.Buffer
	// CloseCode is a close frame's status code (RFC 6455 section 7.4).
	CloseCode = wscore.CloseCode
	// ConfigError names a setting that is out of its range.
	ConfigError = wscore.ConfigError
)

// NewEngine starts a Hollywood engine without a remote.
func NewEngine() (*Engine, error) { return hollywood.NewEngine(hollywood.NewEngineConfig()) }

// Reject makes the error with which a session producer refuses a handshake:
// the HTTP status and the text of the answer's body.
func Reject(status int, text string) error { return wscore.Reject(status, text) }
