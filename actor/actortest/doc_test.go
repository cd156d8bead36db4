package actortest_test

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/actor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo sends every message back.
type echo struct{ conn *actor.Conn }

func (e *echo) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		e.conn = m.Conn
	case *actor.Message:
		_ = e.conn.Send(m.Take())
	}
}

func newEcho(*actor.Handshake) (actor.Receiver, error) { return &echo{}, nil }

// The tests in the package's documentation are those that run.
func TestDocumentationShowsTheExamples(t *testing.T) {
	documentation, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, begin := range []string{"func TestEcho(", "func TestPeerThatHangsIsFound("} {
		_, example, _ := strings.Cut(string(examples), begin)
		example, _, ok := strings.Cut(example, "\n}\n")
		if !ok {
			t.Fatalf("no %s in example_test.go", begin)
		}
		shown := "//\t" + strings.ReplaceAll(begin+example+"\n}", "\n", "\n//\t") + "\n"
		if !strings.Contains(string(documentation), shown) {
			t.Errorf("doc.go does not show\n%s", shown)
		}
	}
}
