package actor

import (
	"crypto/rand"
	"encoding/base64"
	"strconv"
	"strings"
	"sync/atomic"

	hollywood "github.com/anthdm/hollywood/actor"
)

// connPrefix tells this process's connections from those of all others. With it
// a session's address has no more than 32 bytes, which memory comes in.
var connPrefix = func() string {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(random[:]) + "-"
}()

// sessionPath is between a host's name and a connection's id in the address of
// its session.
const sessionPath = "/session/"

var connCount atomic.Uint64

// name gives the session an address. The connection's id is a part of that.
func (c *Conn) name() {
	c.session.pid.Address = c.host.engine.Address()
	c.session.pid.ID = c.host.config.Name + sessionPath + connPrefix + strconv.FormatUint(c.number, 36)
}

// numbered returns the number in the id of one of this process's connections.
func numbered(id string) (number uint64, ok bool) {
	digits, ok := strings.CutPrefix(id, connPrefix)
	number, err := strconv.ParseUint(digits, 36, 64)
	return number, ok && err == nil
}

// halfPID is the address of a reader or a writer. Hardly anybody asks for it,
// so it is made and registered when somebody does.
type halfPID struct{ made atomic.Pointer[PID] }

// of returns the address, which may not be registered.
func (p *halfPID) of(c *Conn, part string) *PID {
	if p.made.Load() == nil {
		p.made.CompareAndSwap(nil, &PID{Address: c.session.pid.Address, ID: c.host.config.Name + "/" + part + "/" + c.ID()})
	}
	return p.made.Load()
}

// register makes a half known to the engine, unless it is or the connection
// has ended, which takes it out again.
func (c *Conn) register(half hollywood.Processer, registered *bool) *PID {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !*registered && c.phase != ended {
		*registered = true
		c.host.engine.SpawnProc(half)
	}
	return half.PID()
}

// unregister takes the halves out again. The connection has ended, so nobody
// registers them any more.
func (c *Conn) unregister() {
	registry := c.host.engine.Registry
	if c.reader.registered {
		registry.Remove(c.reader.PID())
	}
	if c.writer.registered {
		registry.Remove(c.writer.PID())
	}
}
