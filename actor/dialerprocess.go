package actor

import hollywood "github.com/anthdm/hollywood/actor"

// dialerProcess is a dialer's address: a Hollywood process without a goroutine.
type dialerProcess struct{ dialer *Dialer }

// Start, Invoke and Shutdown complete Hollywood's Processer.
func (p *dialerProcess) Start() {}

// Invoke is not used: messages come through Send.
func (p *dialerProcess) Invoke([]hollywood.Envelope) {}

// Shutdown ends the dialer.
func (p *dialerProcess) Shutdown() { p.dialer.stop() }

// PID returns the dialer's address.
func (p *dialerProcess) PID() *PID { return p.dialer.pid }

// Send passes messages on to the current connection. A stop request, graceful
// or not, ends the dialer.
func (p *dialerProcess) Send(pid *PID, message any, sender *PID) {
	d := p.dialer
	if pill, ok := asPoisonPill(message); ok {
		d.whenDone(pill.cancel)
		d.stop()
		return
	}
	if c := d.Conn(); c != nil {
		c.writer.Send(pid, message, sender)
		return
	}
	d.host.refuseMessage(pid, message, sender)
}
