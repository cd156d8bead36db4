package actor

import (
	"context"
	"reflect"
	"unsafe"

	hollywood "github.com/anthdm/hollywood/actor"
)

// Hollywood stops an actor by sending it a value of an unexported type, whose
// cancel function ends the wait of whoever asked. A process of our own has to
// recognise that value, or the wait never ends. This file is the only place
// that knows its shape; poison_test.go fails if a new version changes it.

// poisonPill is what a stop request carries.
type poisonPill struct {
	cancel   context.CancelFunc
	graceful bool
}

// asPoisonPill recognises Hollywood's stop request.
func asPoisonPill(message any) (poisonPill, bool) {
	t := reflect.TypeOf(message)
	if t == nil || t.Kind() != reflect.Struct || t.Name() != "poisonPill" || t.PkgPath() != hollywoodPath {
		return poisonPill{}, false
	}
	addressable := reflect.New(t).Elem()
	addressable.Set(reflect.ValueOf(message))
	var pill poisonPill
	if f := addressable.FieldByName("cancel"); f.IsValid() && f.Type() == reflect.TypeFor[context.CancelFunc]() {
		pill.cancel = *(*context.CancelFunc)(unsafe.Pointer(f.UnsafeAddr()))
	}
	if f := addressable.FieldByName("graceful"); f.IsValid() && f.Kind() == reflect.Bool {
		pill.graceful = f.Bool()
	}
	if pill.cancel == nil {
		pill.cancel = func() {}
	}
	return pill, true
}

var hollywoodPath = reflect.TypeFor[hollywood.Engine]().PkgPath()
