package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ws/tandem/benchmarks/compare"
)

const barWidth = 24

// progress shows a bar on a terminal, and a line for each cell elsewhere.
type progress struct {
	to       io.Writer
	terminal bool
}

func newProgress(to io.Writer) progress {
	file, ok := to.(*os.File)
	if ok {
		_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
		ok = err == nil
	}
	return progress{to: to, terminal: ok}
}

func (p progress) step(s compare.Step) {
	text := fmt.Sprintf("%d/%d  %s, %s, round %d, about %v left",
		s.Cell, s.Cells, s.Workload.Name, s.Server.Name, s.Round+1, s.Left.Round(time.Second))
	if !p.terminal {
		fmt.Fprintln(p.to, text)
		return
	}
	filled := s.Cell * barWidth / s.Cells
	fmt.Fprintf(p.to, "\r\033[K[%s%s] %s", strings.Repeat("=", filled), strings.Repeat(" ", barWidth-filled), text)
}

// clear makes room for a table.
func (p progress) clear() {
	if p.terminal {
		fmt.Fprint(p.to, "\r\033[K")
	}
}
