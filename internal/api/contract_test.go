package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// contract is a transport that holds every answer against the OpenAPI document.
type contract struct {
	t    *testing.T
	next http.RoundTripper
	doc  map[string]any
}

func newContract(t *testing.T, next http.RoundTripper) *contract {
	t.Helper()
	return &contract{t: t, next: next, doc: document(t)}
}

// document returns the OpenAPI document as JSON has it.
func document(t *testing.T) map[string]any {
	t.Helper()
	var tree map[string]any
	if err := yaml.Unmarshal(openAPI, &tree); err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	b, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc.(map[string]any)
}

func (c *contract) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	c.check(req, resp, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// check reports an answer whose status is not documented or whose body is not as documented.
func (c *contract) check(req *http.Request, resp *http.Response, body []byte) {
	path := req.URL.Path
	if strings.HasPrefix(path, "/play/") && slices.Contains([]int{200, 303}, resp.StatusCode) || req.Method == http.MethodOptions {
		return // the page, and the questions of browsers, which that document has no place for
	}
	if strings.HasPrefix(path, "/v1/leaderboards/") {
		path = "/v1/leaderboards/{board}"
	}
	if strings.HasPrefix(path, "/v1/account/devices/") {
		path = "/v1/account/devices/{handle}"
	}
	if of := "/v1/account/identities/"; strings.HasPrefix(path, of) {
		path = of + "{handle}"
	}
	if of, handle := "/v1/account/passkeys/", path; strings.HasPrefix(handle, of) && req.Method == http.MethodDelete {
		path = of + "{handle}"
	}
	if rest, ok := strings.CutPrefix(path, identitiesPath); ok && strings.Contains(rest, "/") {
		_, what, _ := strings.Cut(rest, "/")
		path = identitiesPath + "{provider}/" + what
	}
	paths := "paths"
	if path == "/v1/channel" {
		paths = "x-websockets"
	}
	at := []string{paths, path, strings.ToLower(req.Method), "responses", strconv.Itoa(resp.StatusCode)}
	response, ok := c.find(at...)
	if _, described := c.find(at[:3]...); !described && slices.Contains([]int{403, 404, 405}, resp.StatusCode) {
		at = []string{"components", "responses", "Refused"}
		response, ok = c.find(at...)
	}
	if !ok {
		c.t.Errorf("%s %s answered %d, which openapi.yaml does not know", req.Method, path, resp.StatusCode)
		return
	}
	if ref, ok := response["$ref"].(string); ok {
		at = strings.Split(strings.TrimPrefix(ref, "#/"), "/")
		response, _ = c.find(at...)
	}
	if headers, ok := response["headers"].(map[string]any); ok {
		for name := range headers {
			if resp.Header.Get(name) == "" {
				c.t.Errorf("%s %s answered %d without the header %s", req.Method, path, resp.StatusCode, name)
			}
		}
	}
	content, _ := response["content"].(map[string]any)
	if content == nil {
		return
	}
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if _, ok := content[mediaType]; !ok {
		c.t.Errorf("%s %s answered %d as %q", req.Method, path, resp.StatusCode, mediaType)
		return
	}
	var value any = string(body)
	if mediaType == "application/json" {
		var err error
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(body)); err != nil {
			c.t.Errorf("%s %s answered %q: %v", req.Method, path, body, err)
			return
		}
	}
	if err := c.schema(append(at, "content", mediaType, "schema")).Validate(value); err != nil {
		c.t.Errorf("%s %s answered %d %s: %v", req.Method, path, resp.StatusCode, body, err)
	}
}

func (c *contract) find(at ...string) (map[string]any, bool) {
	node := c.doc
	for _, key := range at {
		next, ok := node[key].(map[string]any)
		if !ok {
			return nil, false
		}
		node = next
	}
	return node, true
}

func (c *contract) schema(at []string) *jsonschema.Schema {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", c.doc); err != nil {
		c.t.Fatal(err)
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	pointer := ""
	for _, key := range at {
		pointer += "/" + escape.Replace(key)
	}
	s, err := compiler.Compile("openapi.json#" + pointer)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// Every route is documented and every documented operation is routed.
func TestOpenAPIMatchesTheRoutes(t *testing.T) {
	var documented, routed []string
	doc := document(t)
	for _, paths := range []string{"paths", "x-websockets"} {
		for path, item := range doc[paths].(map[string]any) {
			for method := range item.(map[string]any) {
				documented = append(documented, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, r := range (&handler{}).routes() {
		routed = append(routed, r.pattern)
	}
	slices.Sort(documented)
	slices.Sort(routed)
	if !slices.Equal(documented, routed) {
		t.Errorf("documented %q\nrouted     %q", documented, routed)
	}
}

// Every reason the server can give is in the document, and the other way round.
func TestOpenAPIKnowsEveryReason(t *testing.T) {
	var documented, given []string
	schemas := document(t)["components"].(map[string]any)["schemas"].(map[string]any)
	props := schemas["Refusal"].(map[string]any)["properties"].(map[string]any)
	for _, r := range props["reason"].(map[string]any)["enum"].([]any) {
		documented = append(documented, r.(string))
	}
	for r := range outcomes {
		given = append(given, string(r))
	}
	slices.Sort(documented)
	slices.Sort(given)
	if !slices.Equal(documented, given) {
		t.Errorf("documented %q\ngiven      %q", documented, given)
	}
}
