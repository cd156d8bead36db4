// Package dashboards has the Grafana dashboards as values, and makes their JSON,
// which deploy/grafana holds. A dashboard that is clicked together cannot be
// reviewed; this one can, and tests run every query of it.
package dashboards

import (
	"encoding/json"
)

//go:generate go run ./generate

// Dashboard is a page of rows.
type Dashboard struct {
	UID, Title, Description string
	Pods                    bool // choose one pod rather than all
	Rows                    []Row
}

// Row is a group of panels under a title.
type Row struct {
	Title  string
	Panels []Panel
}

// Kind is how a panel draws.
type Kind string

// The kinds of panel.
const (
	Lines   Kind = "timeseries"
	Number  Kind = "stat"
	Heatmap Kind = "heatmap"
	Table   Kind = "table"
)

// Panel is one picture of one or more queries.
type Panel struct {
	Title string
	Help  string // what to do about it
	Kind  Kind
	Unit  string // Grafana's name of it
	Wide  bool   // twice as wide as others
	Stack bool
	Show  []Query
}

// Query is what a panel shows; $s stands for the selector of the variables.
type Query struct{ Expr, Legend string }

// selector is what the variables choose.
const selector = `namespace=~"$namespace",job=~"$job",pod=~"$pod"`

// The grid is 24 wide.
const (
	width  = 6
	height = 7
)

// JSON returns the dashboard as Grafana reads it, always the same bytes.
func (d Dashboard) JSON() ([]byte, error) {
	panels, id, y := []any{}, 0, 0
	for _, row := range d.Rows {
		id++
		panels = append(panels, object{"id": id, "type": "row", "title": row.Title, "collapsed": false, "panels": []any{},
			"gridPos": object{"x": 0, "y": y, "w": 24, "h": 1}})
		y++
		x := 0
		for _, panel := range row.Panels {
			w := width
			if panel.Wide {
				w *= 2
			}
			if x+w > 24 {
				x, y = 0, y+height
			}
			id++
			panels = append(panels, panel.object(id, object{"x": x, "y": y, "w": w, "h": height}))
			x += w
		}
		y += height
	}
	data, err := json.MarshalIndent(object{
		"uid": d.UID, "title": d.Title, "description": d.Description, "tags": []string{"tandem", "websocket"},
		"schemaVersion": 38, "version": 1, "editable": true, "graphTooltip": 1, "refresh": "30s",
		"time": object{"from": "now-1h", "to": "now"}, "timezone": "browser",
		"templating": object{"list": d.variables()}, "annotations": object{"list": []any{}},
		"links":  []any{object{"type": "dashboards", "tags": []string{"tandem"}, "title": "More", "asDropdown": true, "includeVars": true, "keepTime": true}},
		"panels": panels,
	}, "", "  ")
	return append(data, '\n'), err
}

type object map[string]any

var datasource = object{"type": "prometheus", "uid": "${datasource}"}

func (d Dashboard) variables() []any {
	list := []any{object{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0}}
	choose := func(name, query string, all bool) {
		variable := object{
			"name": name, "label": name, "type": "query", "datasource": datasource, "refresh": 2, "sort": 1,
			"query": object{"query": query, "refId": name}, "definition": query,
			"includeAll": all, "multi": all,
		}
		if all {
			variable["allValue"], variable["current"] = ".*", object{"text": "All", "value": "$__all"}
		}
		list = append(list, variable)
	}
	choose("namespace", `label_values(tandem_build_info, namespace)`, true)
	choose("job", `label_values(tandem_build_info{namespace=~"$namespace"}, job)`, true)
	choose("pod", `label_values(tandem_build_info{namespace=~"$namespace",job=~"$job"}, pod)`, !d.Pods)
	return list
}

func (p Panel) object(id int, place object) object {
	targets := []any{}
	for i, query := range p.Show {
		target := object{"refId": string(rune('A' + i)), "datasource": datasource, "expr": expand(query.Expr), "legendFormat": query.Legend, "range": true}
		if p.Kind == Heatmap {
			target["format"] = "heatmap"
		}
		if p.Kind == Table {
			target["format"], target["instant"], target["range"] = "table", true, false
		}
		targets = append(targets, target)
	}
	defaults := object{"unit": p.Unit, "custom": object{}}
	options := object{}
	switch p.Kind {
	case Lines:
		custom := object{"fillOpacity": 10, "lineWidth": 1, "showPoints": "never"}
		if p.Stack {
			custom["stacking"] = object{"mode": "normal", "group": "A"}
		}
		defaults["custom"], defaults["min"] = custom, 0
		options = object{"legend": object{"displayMode": "table", "placement": "bottom", "calcs": []string{"lastNotNull", "max"}}, "tooltip": object{"mode": "multi", "sort": "desc"}}
	case Number:
		options = object{"reduceOptions": object{"calcs": []string{"lastNotNull"}}, "graphMode": "area"}
	case Heatmap:
		options = object{"calculate": false, "yAxis": object{"unit": p.Unit}, "color": object{"mode": "scheme", "scheme": "Spectral", "steps": 64}}
	}
	return object{
		"id": id, "type": string(p.Kind), "title": p.Title, "description": p.Help, "gridPos": place, "datasource": datasource,
		"targets": targets, "fieldConfig": object{"defaults": defaults, "overrides": []any{}}, "options": options,
	}
}
