package wscore

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

// The table as the RFC states it, written without a look at the package's own.
// A cell is the next state; "ignored" leaves the state and is no error;
// "refused" leaves the state and is an error of the calling code.
//
//   - 5.5.1: a Close answers a Close; nothing may be sent after one's own. So a
//     state with our Close out refuses every send, and one without refuses none.
//   - 1.4: after a Close was received, further data is discarded.
//   - 7.1.4, 7.1.2: closed is reached once both Closes are done, or with the stream.
//   - 7.1.7: after a violation the peer's data is not processed; we may still
//     send a Close with the code due, which ends the connection, since no answer
//     will be read.
//   - 7.1.5: a stream that ends before the peer's Close was received is lost;
//     one that ends after it can still carry our answer.
const tableOfTheRFC = `
                         open            close sent  close received  failed   closed
receive message          open            close sent  ignored         ignored  ignored
receive ping or pong     open            close sent  ignored         ignored  ignored
receive close            close received  closed      ignored         ignored  ignored
receive violation        failed          closed      ignored         ignored  ignored
receive end of stream    closed          closed      close received  failed   ignored
send message             open            refused     close received  failed   refused
send ping or pong        open            refused     close received  failed   refused
send close               close sent      refused     closed          closed   refused
stream lost              closed          closed      closed          closed   ignored
`

func TestEveryCellOfTheStateTable(t *testing.T) {
	table := parseTable(t, tableOfTheRFC)
	cells := 0
	for from := Open; from < stateCount; from++ {
		for signal := ReceiveMessage; signal < signalCount; signal++ {
			want, ok := table[signal.String()][from.String()]
			if !ok {
				t.Fatalf("the table says nothing about %q in %q", signal, from)
			}
			t.Run(from.String()+"/"+signal.String(), func(t *testing.T) {
				lifecycle := Lifecycle{}
				lifecycle.word.Store(uint32(from))
				next, err := lifecycle.Apply(signal)
				if next != lifecycle.State() {
					t.Errorf("Apply returned %v and left %v", next, lifecycle.State())
				}
				var local *ProtocolError
				switch want {
				case "refused":
					wantErr := ErrSendAfterClose
					if from == Closed {
						wantErr = ErrConnectionClosed
					}
					if !errors.As(err, &local) || local != wantErr || local.Side != Local || next != from {
						t.Errorf("got %v, %v", next, err)
					}
				case "ignored":
					if err != nil || next != from || !transitions[from][signal].ignored {
						t.Errorf("got %v, %v", next, err)
					}
				default:
					if err != nil || next.String() != want || transitions[from][signal].ignored {
						t.Errorf("got %v, %v, want %v", next, err, want)
					}
				}
			})
			cells++
		}
	}
	if cells != 5*9 {
		t.Errorf("looked at %d cells", cells)
	}
}

// parseTable reads rows and columns that are set apart by two spaces or more.
func parseTable(t *testing.T, text string) map[string]map[string]string {
	t.Helper()
	var columns []string
	table := map[string]map[string]string{}
	gap := regexp.MustCompile(` {2,}`)
	for line := range strings.Lines(strings.TrimSpace(text)) {
		cells := gap.Split(strings.TrimSpace(line), -1)
		if columns == nil {
			columns = cells
			continue
		}
		if len(cells) != len(columns)+1 {
			t.Fatalf("row %q has %d cells", line, len(cells))
		}
		row := map[string]string{}
		for i, column := range columns {
			row[column] = cells[i+1]
		}
		table[cells[0]] = row
	}
	return table
}

func TestStatesSayWhatMayStillHappen(t *testing.T) {
	for _, test := range []struct {
		state              State
		receiving, sending bool
	}{
		{Open, true, true},
		{CloseSent, true, false},
		{CloseReceived, false, true},
		{Failed, false, true},
		{Closed, false, false},
	} {
		if test.state.Receiving() != test.receiving || test.state.Sending() != test.sending {
			t.Errorf("%v: receiving %v, sending %v", test.state, test.state.Receiving(), test.state.Sending())
		}
	}
}

// Sending() is a promise about the table: it is true exactly where a close
// frame is not refused.
func TestSendingAgreesWithTheTable(t *testing.T) {
	for state := Open; state < stateCount; state++ {
		for _, signal := range []Signal{SendMessage, SendControl, SendClose} {
			if refused := transitions[state][signal].err != nil; refused == state.Sending() {
				t.Errorf("%v: Sending is %v and %v refused is %v", state, state.Sending(), signal, refused)
			}
		}
	}
}

// No path leads back: once a close frame is out, no signal makes the state one
// in which frames may be sent, and nothing leaves closed.
func TestNothingReopensAClosingConnection(t *testing.T) {
	for state := Open; state < stateCount; state++ {
		for signal := ReceiveMessage; signal < signalCount; signal++ {
			next := transitions[state][signal].next
			if !state.Sending() && next.Sending() || !state.Receiving() && next.Receiving() || state == Closed && next != Closed {
				t.Errorf("%v leads from %v to %v", signal, state, next)
			}
		}
	}
}
