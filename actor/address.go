package actor

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync/atomic"

	hollywood "github.com/anthdm/hollywood/actor"
)

// connPrefix tells this process's connections from those of all others.
var connPrefix = func() string {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(random[:]) + "-"
}()

var connCount atomic.Uint64

// name gives the connection its id and its session an address. The id is a part
// of that, which costs an idle connection less than two strings.
func (c *Conn) name() {
	id := connPrefix + strconv.FormatUint(c.number, 36)
	c.session.pid.Address = c.host.engine.Address()
	c.session.pid.ID = c.host.config.Name + "/session/" + id
	c.id = c.session.pid.ID[len(c.session.pid.ID)-len(id):]
}

// halfPID is the address of a reader or a writer. Hardly anybody asks for it,
// so it is made and registered when somebody does.
type halfPID struct {
	made       atomic.Pointer[PID]
	registered bool // guarded by the connection's lock
}

// of returns the address, which may not be registered.
func (p *halfPID) of(c *Conn, part string) *PID {
	if p.made.Load() == nil {
		p.made.CompareAndSwap(nil, &PID{Address: c.session.pid.Address, ID: c.host.config.Name + "/" + part + "/" + c.id})
	}
	return p.made.Load()
}

// register makes a half known to the engine, unless it is or the connection
// has ended, which takes it out again.
func (c *Conn) register(half hollywood.Processer, pid *halfPID) *PID {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !pid.registered && c.phase != ended {
		pid.registered = true
		c.host.engine.SpawnProc(half)
	}
	return half.PID()
}

// unregister takes the halves out again. The connection has ended, so nobody
// registers them any more.
func (c *Conn) unregister() {
	registry := c.host.engine.Registry
	if c.reader.pid.registered {
		registry.Remove(c.reader.PID())
	}
	if c.writer.pid.registered {
		registry.Remove(c.writer.PID())
	}
}
