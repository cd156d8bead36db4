package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// show tells once a second how far the load has come: on one line that is drawn
// again, or on a line each.
func show(ctx context.Context, out io.Writer, redraw bool, o options, counts *counts) {
	began, last := time.Now(), reading{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	end := "\n"
	if redraw {
		end = "\x1b[K\r"
		defer fmt.Fprintln(out)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := counts.read()
		fmt.Fprint(out, line(time.Since(began), o, now, now.since(last)), end)
		last = now
	}
}

// reading is the counts at a moment.
type reading struct{ open, joined, sent, received, refused, failed, troubles, answered, answerNS int64 }

func (c *counts) read() reading {
	return reading{c.open.Load(), c.joined.Load(), c.sent.Load(), c.received.Load(), c.refused.Load(), c.failed.Load(),
		c.troubles.Load(), c.answered.Load(), c.answerNS.Load()}
}

// since returns what has come since.
func (r reading) since(before reading) reading {
	return reading{r.open, r.joined - before.joined, r.sent - before.sent, r.received - before.received, r.refused - before.refused,
		r.failed - before.failed, r.troubles - before.troubles, r.answered - before.answered, r.answerNS - before.answerNS}
}

// line is one line of the progress; what is not a sum is of the last second.
func line(elapsed time.Duration, o options, now, second reading) string {
	var b strings.Builder
	if o.duration > 0 {
		const width = 20
		done := min(width, int(width*elapsed/o.duration))
		fmt.Fprintf(&b, "[%s%s] ", strings.Repeat("#", done), strings.Repeat(".", width-done))
	}
	fmt.Fprintf(&b, "%5.0fs  %d of %d open  %d said  %d heard", elapsed.Seconds(), now.open, o.clients, second.sent, second.received)
	if second.answered > 0 {
		fmt.Fprintf(&b, "  answered in %v", (time.Duration(second.answerNS / second.answered)).Round(10*time.Microsecond))
	}
	for _, extra := range []struct {
		what string
		n    int64
	}{{"refused", now.refused}, {"failed dials", now.failed}, {"troubles", now.troubles}} {
		if extra.n > 0 {
			fmt.Fprintf(&b, "  %d %s", extra.n, extra.what)
		}
	}
	return b.String()
}
