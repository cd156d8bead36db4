package actor

import (
	"strings"

	hollywood "github.com/anthdm/hollywood/actor"
)

// deadLetters deals with what was sent to a connection while it ended.
// Hollywood looks a PID up twice for each stop request: if it is removed in
// between, the request becomes a dead letter whose wait nobody ends. And a
// *[Buffer] belongs to whom it was sent to, also if there is nobody.
//
// It is a process without a goroutine, one for each engine.
type deadLetters struct{ pid *PID }

const deadLettersID = "websocket-dead-letters"

// collectDeadLetters makes the engine's dead letters come here.
func collectDeadLetters(engine *Engine) {
	if engine.Registry.GetPID(deadLettersID, "") != nil {
		return
	}
	d := &deadLetters{pid: hollywood.NewPID(engine.Address(), deadLettersID+"/")}
	engine.SpawnProc(d)
	engine.Subscribe(d.pid)
}

// Start, Invoke and Shutdown complete Hollywood's Processer.
func (d *deadLetters) Start() {}

// Invoke is not used: messages come through Send.
func (d *deadLetters) Invoke([]hollywood.Envelope) {}

// Shutdown does nothing: it is needed as long as the engine.
func (d *deadLetters) Shutdown() {}

// PID returns its address.
func (d *deadLetters) PID() *PID { return d.pid }

// Send takes the engine's events.
func (d *deadLetters) Send(_ *PID, message any, _ *PID) {
	event, ok := message.(hollywood.DeadLetterEvent)
	if !ok {
		if pill, ok := asPoisonPill(message); ok {
			pill.cancel()
		}
		return
	}
	if event.Target == nil || !strings.Contains(event.Target.ID, connPrefix) {
		return
	}
	if pill, ok := asPoisonPill(event.Message); ok {
		pill.cancel()
	} else if b, ok := event.Message.(*Buffer); ok && b != nil {
		b.Release()
	}
}
