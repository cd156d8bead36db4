// Command picture draws panels of the dashboards from what a Prometheus
// answered, for the README: it is no screenshot of Grafana.
//
//	TANDEM_PICTURE=/tmp/panels.json go test -count=1 -run Panels ./internal/observability
//	go -C benchmarks run ./cmd/picture /tmp/panels.json ../docs/dashboard.svg
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// panel is one panel's data, as the test of the dashboards writes it.
type panel struct {
	Title  string
	Series []series
}

type series struct {
	Legend string
	Values [][2]any // seconds and value
}

// The picture is a grid of panels.
const (
	columns     = 3
	panelWidth  = 8 * vg.Centimeter
	panelHeight = 6 * vg.Centimeter
	// mostSeries are drawn in one panel: those that reach highest.
	mostSeries = 4
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: picture data.json picture.svg")
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var panels []panel
	if err := json.Unmarshal(data, &panels); err != nil {
		return err
	}
	file, err := os.Create(args[1])
	if err != nil {
		return err
	}
	return errors.Join(render(file, panels), file.Close())
}

func render(w io.Writer, panels []panel) error {
	if len(panels) == 0 {
		return errors.New("there are no panels")
	}
	rows := (len(panels) + columns - 1) / columns
	canvas := vgsvg.New(columns*panelWidth, vg.Length(rows)*panelHeight)
	whole := draw.New(canvas)
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: 6 * vg.Millimeter, PadY: 6 * vg.Millimeter,
		PadTop: 3 * vg.Millimeter, PadBottom: 3 * vg.Millimeter, PadLeft: 3 * vg.Millimeter, PadRight: 3 * vg.Millimeter}
	for i, one := range panels {
		p, err := one.plot()
		if err != nil {
			return fmt.Errorf("%s: %w", one.Title, err)
		}
		p.Draw(tiles.At(whole, i%columns, i/columns))
	}
	_, err := canvas.WriteTo(w)
	return err
}

func (one panel) plot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text = one.Title, "seconds"
	p.Y.Min, p.Legend.Top, p.Legend.Left = 0, true, true
	p.Add(plotter.NewGrid())
	start := math.Inf(1)
	lines := make([]plotter.XYs, len(one.Series))
	order := make([]int, len(one.Series))
	for i, s := range one.Series {
		order[i] = i
		for _, value := range s.Values {
			at, ok := value[0].(float64)
			text, isText := value[1].(string)
			y, err := strconv.ParseFloat(text, 64)
			if !ok || !isText || err != nil {
				return nil, fmt.Errorf("%v is no sample", value)
			}
			start = math.Min(start, at)
			if !math.IsNaN(y) {
				lines[i] = append(lines[i], plotter.XY{X: at, Y: y})
			}
		}
	}
	sort.SliceStable(order, func(i, j int) bool { return highest(lines[order[i]]) > highest(lines[order[j]]) })
	drawn := 0
	for _, i := range order {
		if drawn == mostSeries || highest(lines[i]) == 0 {
			break
		}
		for k := range lines[i] {
			lines[i][k].X -= start
		}
		line, err := plotter.NewLine(lines[i])
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = plotutil.Color(drawn), vg.Points(1.2)
		p.Add(line)
		p.Legend.Add(one.Series[i].Legend, line)
		drawn++
	}
	if drawn == 0 {
		return nil, errors.New("nothing but zero")
	}
	p.Y.Max *= 1.5 // room for the legend
	return p, nil
}

func highest(line plotter.XYs) (most float64) {
	for _, point := range line {
		most = math.Max(most, point.Y)
	}
	return most
}
