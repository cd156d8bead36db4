package compare

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// Measures of the picture, in its own units.
const (
	barHeight   = 13
	groupGap    = 18
	titleHeight = 20
	labelWidth  = 96
	chartWidth  = 560
	valueWidth  = 48
	headHeight  = 66
	// widestRatio is where bars are cut; the value beside them goes on.
	widestRatio = 2.0
)

// svgStyle draws the same picture for light and dark pages. The background
// stays the page's.
const svgStyle = `
text { font: 11px system-ui, sans-serif; fill: #24292f; }
.head { font-size: 15px; font-weight: 600; }
.group { font-weight: 600; }
.tandem { fill: #0b6bcb; }
.peer { fill: #9aa4ae; }
.limit { fill: none; stroke: #9aa4ae; }
.line { stroke: #57606a; stroke-dasharray: 3 3; }
.failed { fill: #b42318; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .tandem { fill: #4ea1ff; }
  .peer { fill: #768390; }
  .limit { stroke: #768390; }
  .line { stroke: #adbac7; }
  .failed { fill: #ff7b72; }
}
`

// Picture writes the cost ratios as an SVG: for each workload a group of
// horizontal bars, with a line where the baseline is.
func Picture(w io.Writer, tables []Table) error {
	var groups strings.Builder
	base := Baseline
	y := headHeight
	for _, t := range tables {
		base = t.baseName()
		y = t.draw(&groups, y)
	}
	width := labelWidth + chartWidth + valueWidth
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="Cost in relation to %s">`,
		width, y, width, y, escape(base))
	fmt.Fprintf(&b, "\n<style>%s</style>\n", svgStyle)
	fmt.Fprintf(&b, `<text class="head" x="0" y="18">What it costs in relation to %s (dashed line: the same)</text>`, escape(base))
	b.WriteString("\n" + `<text x="0" y="36">Server CPU a message, or resident memory a connection for idle ones. Shorter is better.</text>` + "\n")
	fmt.Fprintf(&b, `<rect class="tandem" x="0" y="45" width="10" height="10"/><text x="14" y="54">Tandem</text>`+
		`<rect class="peer" x="70" y="45" width="10" height="10"/><text x="84" y="54">other libraries</text>`+
		`<rect class="limit" x="176" y="45.5" width="10" height="9"/><text x="190" y="54">byte echo without WebSocket</text>`)
	b.WriteString("\n" + groups.String() + "</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// draw adds a group and returns where the next one begins.
func (t Table) draw(b *strings.Builder, y int) int {
	title := t.Workload.Name
	if t.NotRun != "" {
		title += " (not run)"
	}
	fmt.Fprintf(b, `<text class="group" x="0" y="%d">%s</text>`+"\n", y+13, escape(title))
	y += titleHeight
	if t.NotRun != "" {
		return y
	}
	top := y
	for i := range t.Rows {
		r := &t.Rows[i]
		if r == t.base() {
			continue
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth-6, y+10, escape(r.Server.Name))
		ratio, ok := t.costRatio(r)
		if !ok {
			fmt.Fprintf(b, `<text class="failed" x="%d" y="%d">failed</text>`+"\n", labelWidth, y+10)
			y += barHeight
			continue
		}
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/>`, class(r.Server), labelWidth, y+1, barLength(ratio.median), barHeight-3)
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%.2f</text>`+"\n", labelWidth+chartWidth+valueWidth-8, y+10, ratio.median)
		y += barHeight
	}
	one := labelWidth + barLength(1)
	fmt.Fprintf(b, `<line class="line" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", one, top-2, one, y)
	return y + groupGap
}

func barLength(ratio float64) float64 {
	return min(max(ratio, 0), widestRatio) / widestRatio * chartWidth
}

func class(s Server) string {
	switch {
	case s.Limit:
		return "limit"
	case s.program == echoServer:
		return "tandem"
	}
	return "peer"
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}
