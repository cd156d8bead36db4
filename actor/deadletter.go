package actor

import (
	"maps"
	"strings"
	"sync"

	hollywood "github.com/anthdm/hollywood/actor"
)

// deadLetters deals with what was sent to a connection while or after it
// ended. Hollywood looks a PID up twice for each stop request: if it is removed
// in between, the request becomes a dead letter whose wait nobody ends. And a
// *[Buffer] belongs to whom it was sent to, also if there is nobody.
//
// It is a process without a goroutine, one for each engine.
type deadLetters struct {
	engine *Engine
	pid    *PID

	mu        sync.Mutex
	observers map[string]*letterObserver // by the name that begins PIDs
	counted   map[*PID]struct{}          // targets of our own dead letters on their way here
}

// letterObserver is who is told of dead letters to one name.
type letterObserver struct {
	observer Observer
	hosts    int // of that name: servers, and dialers that have not ended
}

// keptLetterObservers is from how many names on those are forgotten of which all
// hosts have ended: dialers come and go, and may have names of their own.
const keptLetterObservers = 1024

const deadLettersID = "websocket-dead-letters"

// collecting lets one at a time look for an engine's process, and make it.
var collecting sync.Mutex

// introduction makes the process say who it is.
type introduction struct{ of *deadLetters }

// collectDeadLetters makes the engine's dead letters come to the process that
// is returned.
func collectDeadLetters(engine *Engine) *deadLetters {
	collecting.Lock()
	defer collecting.Unlock()
	if pid := engine.Registry.GetPID(deadLettersID, ""); pid != nil {
		var who introduction
		engine.Send(pid, &who)
		return who.of
	}
	d := &deadLetters{
		engine: engine, pid: hollywood.NewPID(engine.Address(), deadLettersID+"/"),
		observers: make(map[string]*letterObserver), counted: make(map[*PID]struct{}),
	}
	engine.SpawnProc(d)
	engine.Subscribe(d.pid)
	return d
}

// observe names who is told of messages to connections of that name that have
// ended: the last one, should several servers of an engine share a name.
func (d *deadLetters) observe(name string, observer Observer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.observers[name]
	if o == nil {
		if len(d.observers) >= keptLetterObservers {
			maps.DeleteFunc(d.observers, func(_ string, o *letterObserver) bool { return o.hosts == 0 })
		}
		o = &letterObserver{}
		d.observers[name] = o
	}
	o.observer = observer
	o.hosts++
}

// ended says that a host of that name has: messages to its connections are
// counted as long as there is room for its name.
func (d *deadLetters) ended(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o := d.observers[name]; o != nil {
		o.hosts--
	}
}

// refuse makes a dead letter of a message that was counted already.
func (d *deadLetters) refuse(event hollywood.DeadLetterEvent) {
	event.Target = &PID{Address: event.Target.Address, ID: event.Target.ID}
	d.mu.Lock()
	d.counted[event.Target] = struct{}{}
	d.mu.Unlock()
	d.engine.BroadcastEvent(event)
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
	switch m := message.(type) {
	case hollywood.DeadLetterEvent:
		d.take(m)
	case *introduction:
		m.of = d
	default:
		if pill, ok := asPoisonPill(message); ok {
			pill.cancel()
		}
	}
}

func (d *deadLetters) take(event hollywood.DeadLetterEvent) {
	if event.Target == nil {
		return
	}
	name, ok := connectionName(event.Target.ID)
	if !ok {
		return
	}
	d.mu.Lock()
	_, counted := d.counted[event.Target]
	delete(d.counted, event.Target)
	var observer Observer
	if o := d.observers[name]; o != nil {
		observer = o.observer
	}
	d.mu.Unlock()
	if pill, ok := asPoisonPill(event.Message); ok {
		pill.cancel()
		return
	}
	if !counted && observer != nil {
		observer.MessageRefused()
	}
	if b, ok := event.Message.(*Buffer); ok && b != nil {
		// A panic would end the engine's events. One that was released before
		// is its sender's fault, and nobody is left to be told.
		defer func() { _ = recover() }()
		b.Release()
	}
}

// connectionName cuts the name that a server gave to its connections' PIDs out
// of one; see [Conn.name].
func connectionName(id string) (name string, ok bool) {
	at := strings.LastIndex(id, "/"+connPrefix)
	if at < 0 {
		return "", false
	}
	part := strings.LastIndexByte(id[:at], '/')
	if part < 0 {
		return "", false
	}
	return id[:part], true
}
