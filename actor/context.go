package actor

import (
	"context"
	"fmt"
	"reflect"
	"unsafe"

	hollywood "github.com/anthdm/hollywood/actor"
	"github.com/anthdm/hollywood/safemap"
)

// A session is hosted by a process of our own, because Hollywood's has no
// bound, hangs whoever stops it twice, and ends the program on a panic in the
// wrong place. What the session's Receiver is given must still be Hollywood's
// Context, whose fields are unexported: this file is the only place that
// writes them, at offsets found by name and checked by type when the program
// starts. context_test.go fails if a new version changes them.

// contextOffsets are where the fields of a Context lie.
type contextOffsets struct {
	pid, sender, engine, receiver, message, children, context uintptr
}

var (
	contextLayout, contextLayoutError = findContextLayout()

	// ErrHollywoodVersion is returned by [NewServer] when the program was built
	// with a version of Hollywood whose Context this package does not know.
	ErrHollywoodVersion = fmt.Errorf("websocket: this version of Hollywood is not supported")
)

func findContextLayout() (contextOffsets, error) {
	var o contextOffsets
	t := reflect.TypeFor[Context]()
	for _, field := range []struct {
		name   string
		of     reflect.Type
		offset *uintptr
	}{
		{"pid", reflect.TypeFor[*PID](), &o.pid},
		{"sender", reflect.TypeFor[*PID](), &o.sender},
		{"engine", reflect.TypeFor[*hollywood.Engine](), &o.engine},
		{"receiver", reflect.TypeFor[Receiver](), &o.receiver},
		{"message", reflect.TypeFor[any](), &o.message},
		{"children", reflect.TypeFor[*safemap.SafeMap[string, *PID]](), &o.children},
		{"context", reflect.TypeFor[context.Context](), &o.context},
	} {
		found, ok := t.FieldByName(field.name)
		if !ok || found.Type != field.of {
			return o, fmt.Errorf("%w: Context.%s is not a %v", ErrHollywoodVersion, field.name, field.of)
		}
		*field.offset = found.Offset
	}
	return o, nil
}

func setContextField[T any](c *Context, offset uintptr, value T) {
	*(*T)(unsafe.Add(unsafe.Pointer(c), offset)) = value
}

// initContext makes c the Context of a process.
func initContext(c *Context, engine *Engine, pid *PID, receiver Receiver) {
	setContextField(c, contextLayout.pid, pid)
	setContextField(c, contextLayout.engine, engine)
	setContextField(c, contextLayout.receiver, receiver)
	setContextField(c, contextLayout.children, safemap.New[string, *PID]())
	setContextField(c, contextLayout.context, context.Background())
}

// setContextMessage makes c show a message and its sender.
func setContextMessage(c *Context, message any, sender *PID) {
	setContextField(c, contextLayout.message, message)
	setContextField(c, contextLayout.sender, sender)
}

// contextReceiver returns whose Context c is.
func contextReceiver(c *Context) Receiver {
	return *(*Receiver)(unsafe.Add(unsafe.Pointer(c), contextLayout.receiver))
}
