package e2e_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/grafana-plugin/pkg/plugin"
)

// The grounds that panels have in Grafana's themes, light and dark.
var grounds = map[string]string{"light": "#FFFFFF", "dark": "#181B1F"}

// What WCAG 2.1 asks of contrast: of words (1.4.3), and of large figures and of what is drawn (1.4.3, 1.4.11).
const (
	ofWords   = 4.5
	ofDrawing = 3.0
)

// grey is for what is neither good nor bad in a chart.
const grey = "#8e8e8e"

// apart is how far any two colours of a chart are from one another at least, for any kind of colour vision. Okabe and Ito's, of which
// two cannot be seen well on white, come to 10.9.
const apart = 13.5

// One colour may be the line of any chart, on any ground and beside any other.
func TestLinesCanBeToldApart(t *testing.T) {
	all := append(plugin.Tellable(), grey)
	for _, colour := range all {
		for theme, ground := range grounds {
			if got := contrast(t, colour, ground); got < ofDrawing {
				t.Errorf("%s has a contrast of %.2f in the %s theme", colour, got, theme)
			}
		}
	}
	for _, seen := range visions {
		for i, a := range all {
			for _, b := range all[:i] {
				if got := difference(seen.by(linear(t, a)), seen.by(linear(t, b))); got < apart {
					t.Errorf("%s: %s and %s are %.1f apart", seen.name, b, a, got)
				}
			}
		}
	}
}

// Charts have the colours of series. No one colour can be read as a word on a light ground and on a dark one: what colours figures and
// words has Grafana's names, which mean other shades in each theme. Figures of stat panels are large.
func TestColoursCanBeToldApartAndRead(t *testing.T) {
	themes := shades(t)
	named := regexp.MustCompile(`"(?:fixedColor|color)": ?"([^"]*)"`)
	for _, d := range dashboards(t) {
		var page struct{ Panels []json.RawMessage }
		if err := json.Unmarshal(d.text, &page); err != nil {
			t.Fatal(err)
		}
		for i, p := range d.Panels {
			least := ofWords
			if p.Type == "stat" {
				least = ofDrawing
			}
			for _, found := range named.FindAllSubmatch(page.Panels[i], -1) {
				name := string(found[1])
				if name == "text" || name == "transparent" {
					continue
				}
				if p.Type != "stat" && p.Type != "table" {
					if !slices.Contains(append(plugin.Tellable(), grey), name) {
						t.Errorf("%s: %q is drawn in %s", d.Title, p.Title, name)
					}
					continue
				}
				for theme, shade := range themes {
					switch hex, known := shade[name]; {
					case !known:
						t.Errorf("%s: %q has words in %s, which is no shade of the %s theme", d.Title, p.Title, name, theme)
					case contrast(t, hex, grounds[theme]) < least:
						t.Errorf("%s: %q has words in %s, which have a contrast of %.2f in the %s theme", d.Title, p.Title, name, contrast(t, hex, grounds[theme]), theme)
					}
				}
			}
		}
	}
}

// shades are what Grafana's names of colours mean in each theme, as its own library says.
func shades(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("../node_modules/@grafana/data/dist/esm/themes/createVisualizationColors.mjs")
	if err != nil {
		t.Fatalf("Grafana's colours cannot be read: %v. Run make setup-plugin", err)
	}
	_, hues, _ := strings.Cut(string(text), "function getDarkHues()")
	dark, light, _ := strings.Cut(hues, "function getLightHues()")
	shade := regexp.MustCompile(`color: "(#[0-9A-F]{6})", name: "([a-z-]+)"`)
	all := map[string]map[string]string{}
	for theme, section := range map[string]string{"dark": dark, "light": light} {
		all[theme] = map[string]string{}
		for _, found := range shade.FindAllStringSubmatch(section, -1) {
			all[theme][found[2]] = found[1]
		}
		if len(all[theme]) != 30 {
			t.Fatalf("Grafana's %s theme has %d shades", theme, len(all[theme]))
		}
	}
	return all
}

// linear is the light of a colour's red, green and blue, 0 to 1 (IEC 61966-2-1).
func linear(t *testing.T, hex string) [3]float64 {
	t.Helper()
	var parts [3]uint8
	if n, err := fmt.Sscanf(hex, "#%02x%02x%02x", &parts[0], &parts[1], &parts[2]); n != 3 {
		t.Fatalf("%s is no colour: %v", hex, err)
	}
	var light [3]float64
	for i, part := range parts {
		light[i] = float64(part) / 255
		if light[i] <= 0.04045 {
			light[i] /= 12.92
		} else {
			light[i] = math.Pow((light[i]+0.055)/1.055, 2.4)
		}
	}
	return light
}

// contrast is WCAG's.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(hex string) float64 {
		light := linear(t, hex)
		return 0.2126*light[0] + 0.7152*light[1] + 0.0722*light[2] + 0.05
	}
	lighter, darker := max(luminance(a), luminance(b)), min(luminance(a), luminance(b))
	return lighter / darker
}

// vision is how somebody sees light.
type vision struct {
	name   string
	matrix [3][3]float64
}

// visions are those of most people, and of people without one kind of cone: Machado, Oliveira and Fernandes, A Physiologically-based
// Model for Simulation of Color Vision Deficiency (2009), severity 1.
var visions = []vision{
	{"normal vision", [3][3]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
	{"protanopia", [3][3]float64{{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}},
	{"deuteranopia", [3][3]float64{{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}}},
	{"tritanopia", [3][3]float64{{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}},
}

// by is what light looks like, in CIELAB under D65.
func (v vision) by(light [3]float64) [3]float64 {
	var seen [3]float64
	for i, row := range v.matrix {
		seen[i] = min(max(row[0]*light[0]+row[1]*light[1]+row[2]*light[2], 0), 1)
	}
	f := func(share float64) float64 {
		if share > 216.0/24389 {
			return math.Cbrt(share)
		}
		return (24389.0/27*share + 16) / 116
	}
	x := f((0.4124564*seen[0] + 0.3575761*seen[1] + 0.1804375*seen[2]) / 0.95047)
	y := f(0.2126729*seen[0] + 0.7151522*seen[1] + 0.0721750*seen[2])
	z := f((0.0193339*seen[0] + 0.1191920*seen[1] + 0.9503041*seen[2]) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// difference is CIEDE2000 of two colours in CIELAB, in the names of Sharma, Wu and Dalal, The CIEDE2000 Color-Difference Formula (2005).
func difference(p, q [3]float64) float64 {
	degrees := func(of float64) float64 { return of * math.Pi / 180 }
	chroma := (math.Hypot(p[1], p[2]) + math.Hypot(q[1], q[2])) / 2
	seventh := func(c float64) float64 { return math.Sqrt(math.Pow(c, 7) / (math.Pow(c, 7) + math.Pow(25, 7))) }
	g := 0.5 * (1 - seventh(chroma))
	polar := func(of [3]float64) (c, h float64) {
		a := of[1] * (1 + g)
		return math.Hypot(a, of[2]), math.Mod(math.Atan2(of[2], a)*180/math.Pi+360, 360)
	}
	c1, h1 := polar(p)
	c2, h2 := polar(q)
	turn, h := h2-h1, (h1+h2)/2
	switch {
	case c1*c2 == 0:
		turn, h = 0, h1+h2
	case turn > 180:
		turn, h = turn-360, h+180
	case turn < -180:
		turn, h = turn+360, h+180
	}
	l, c := (p[0]+q[0])/2, (c1+c2)/2
	t := 1 - 0.17*math.Cos(degrees(h-30)) + 0.24*math.Cos(degrees(2*h)) + 0.32*math.Cos(degrees(3*h+6)) - 0.20*math.Cos(degrees(4*h-63))
	byL := (q[0] - p[0]) / (1 + 0.015*(l-50)*(l-50)/math.Sqrt(20+(l-50)*(l-50)))
	byC := (c2 - c1) / (1 + 0.045*c)
	byH := 2 * math.Sqrt(c1*c2) * math.Sin(degrees(turn/2)) / (1 + 0.015*c*t)
	rotated := -2 * seventh(c) * math.Sin(degrees(60*math.Exp(-(h-275)/25*(h-275)/25)))
	return math.Sqrt(byL*byL + byC*byC + byH*byH + rotated*byC*byH)
}

// Pairs of the table that its authors give to test the formula with.
func TestTheDifferenceIsTheOneThatIsPublished(t *testing.T) {
	for _, test := range []struct {
		p, q [3]float64
		want float64
	}{
		{[3]float64{50, 2.6772, -79.7751}, [3]float64{50, 0, -82.7485}, 2.0425},
		{[3]float64{50, -1, 2}, [3]float64{50, 0, 0}, 2.3669},
		{[3]float64{50, 2.49, -0.001}, [3]float64{50, -2.49, 0.0011}, 7.2195},
		{[3]float64{50, 2.5, 0}, [3]float64{73, 25, -18}, 27.1492},
		{[3]float64{60.2574, -34.0099, 36.2677}, [3]float64{60.4626, -34.1751, 39.4387}, 1.2644},
		{[3]float64{90.8027, -2.0831, 1.441}, [3]float64{91.1528, -1.6435, 0.0447}, 1.4441},
	} {
		if got := difference(test.p, test.q); math.Abs(got-test.want) > 0.0001 {
			t.Errorf("%v and %v are %.4f apart, and should be %.4f", test.p, test.q, got, test.want)
		}
	}
}
