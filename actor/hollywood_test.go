package actor

import (
	"context"
	"reflect"
	"testing"

	hollywood "github.com/anthdm/hollywood/actor"
)

// catcher is a process that keeps what is sent to it.
type catcher struct {
	pid      *PID
	messages []any
}

func (c *catcher) Start()                           {}
func (c *catcher) PID() *PID                        { return c.pid }
func (c *catcher) Send(_ *PID, message any, _ *PID) { c.messages = append(c.messages, message) }
func (c *catcher) Invoke([]hollywood.Envelope)      {}
func (c *catcher) Shutdown()                        {}

// A new version of Hollywood that changes its stop request must fail here, not
// leave waiters hanging.
func TestStopRequestsOfThePinnedHollywoodAreRecognised(t *testing.T) {
	engine, err := NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	target := &catcher{pid: hollywood.NewPID(engine.Address(), "catcher")}
	engine.SpawnProc(target)
	for _, c := range []struct {
		name     string
		stop     func(*PID) context.Context
		graceful bool
	}{
		{"Poison", engine.Poison, true},
		{"Stop", engine.Stop, false},
	} {
		wait := c.stop(target.pid)
		pill, ok := asPoisonPill(target.messages[len(target.messages)-1])
		if !ok || pill.graceful != c.graceful {
			t.Fatalf("%s: recognised %v, graceful %v", c.name, ok, pill.graceful)
		}
		if wait.Err() != nil {
			t.Fatalf("%s: the wait ended by itself", c.name)
		}
		pill.cancel()
		<-wait.Done()
	}
}

func TestOtherMessagesAreNoStopRequests(t *testing.T) {
	type poisonPill struct{}
	for _, message := range []any{nil, "poisonPill", 1, poisonPill{}, &poisonPill{}, Stopped{}} {
		if _, ok := asPoisonPill(message); ok {
			t.Errorf("%T is taken for a stop request", message)
		}
	}
}

// A Context that this package fills in must show everywhere what Hollywood's
// own would.
func TestContextOfThePinnedHollywoodIsFilledIn(t *testing.T) {
	if contextLayoutError != nil {
		t.Fatal(contextLayoutError)
	}
	engine, err := NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	sender := &catcher{pid: hollywood.NewPID(engine.Address(), "sender")}
	engine.SpawnProc(sender)
	pid := hollywood.NewPID(engine.Address(), "self")
	receiver := receiverFunc(func(*Context) {})
	var c Context
	initContext(&c, engine, pid, receiver)
	setContextMessage(&c, "hello", sender.pid)
	if c.PID() != pid || c.Engine() != engine || c.Message() != "hello" || c.Sender() != sender.pid || c.Parent() != nil {
		t.Errorf("context shows %v, %v, %v, %v, %v", c.PID(), c.Engine(), c.Message(), c.Sender(), c.Parent())
	}
	if reflect.ValueOf(c.Receiver()).Pointer() != reflect.ValueOf(receiver).Pointer() || c.Context() == nil {
		t.Error("context shows another receiver or no context.Context")
	}
	c.Respond("answer")
	if len(sender.messages) != 1 || sender.messages[0] != "answer" {
		t.Errorf("sender was answered %v", sender.messages)
	}
	child := c.SpawnChildFunc(func(*Context) {}, "child")
	if len(c.Children()) != 1 || c.Child(child.ID) == nil {
		t.Error("the child is not known")
	}
	<-engine.Poison(child).Done()
	if len(c.Children()) != 0 {
		t.Error("the stopped child is still known")
	}
	if n := reflect.TypeFor[Context]().NumField(); n != 8 {
		t.Errorf("Context has %d fields, 8 are known: look what the others are for", n)
	}
}

type receiverFunc func(*Context)

func (f receiverFunc) Receive(c *Context) { f(c) }
