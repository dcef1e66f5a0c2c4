package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// operatorBody is an operator as the listener shows one.
type operatorBody struct {
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}

// tokenBody is an operator with a new token.
type tokenBody struct {
	Name  string `json:"name"`
	Token string `json:"token"`
}

// operators serves what can be done with operators.
type operators struct {
	*acts
	book *operator.Book
	roll *operator.Roll
}

func (o *operators) serve(mux *routes) {
	mux.HandleFunc("GET /operators", o.list)
	mux.HandleFunc("POST /operators", o.add)
	mux.HandleFunc("POST /operators/{name}/role", o.setRole)
	mux.HandleFunc("POST /operators/{name}/token", o.renew)
	mux.HandleFunc("POST /operators/{name}/remove", o.remove)
}

func (o *operators) list(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	all, err := o.book.List(ctx)
	out := struct {
		Operators []operatorBody `json:"operators"`
	}{make([]operatorBody, len(all))}
	for i, x := range all {
		out.Operators[i] = operatorBody{x.Name, x.Role.String(), x.CreatedAt, x.CreatedBy}
	}
	answerOrder(w, http.StatusOK, out, err)
}

// changed has this node know at once what it has changed; the others look within a second.
func (o *operators) changed(ctx context.Context) {
	if err := o.roll.Refresh(ctx); err != nil {
		o.logger.Warn("the operators were changed and could not be read again at once", "error", err)
	}
}

func (o *operators) add(w http.ResponseWriter, r *http.Request) {
	hasBoth := func(in strictjson.Values) bool { return in.String("name") != "" && in.String("role") != "" }
	in, ok := read(w, r, maxOrder, `{"name": "...", "role": "..."}`, hasBoth,
		strictjson.Field{Name: "name"}, strictjson.Field{Name: "role"})
	if !ok {
		return
	}
	name := in.String("name")
	role, err := operator.ParseRole(in.String("role"))
	if err == nil {
		err = operator.CheckName(name)
	}
	if err != nil {
		answerOrder(w, 0, nil, err)
		return
	}
	do := act{what: "operator.add", detail: fmt.Sprintf("%s as %v", name, role)}
	o.carryOut(w, r, do, func(ctx context.Context) (any, error) {
		token, err := o.book.Add(ctx, name, role, personOf(ctx).name)
		if err == nil {
			o.changed(ctx)
		}
		return tokenBody{name, token}, err
	})
}

// named returns the operator that a path names, or answers the request.
func (o *operators) named(w http.ResponseWriter, r *http.Request) (operator.Operator, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	found, err := o.book.Find(ctx, r.PathValue("name"))
	if err != nil {
		answerOrder(w, 0, nil, err)
		return operator.Operator{}, false
	}
	return found, true
}

func (o *operators) setRole(w http.ResponseWriter, r *http.Request) {
	hasRole := func(in strictjson.Values) bool { return in.String("role") != "" }
	in, ok := read(w, r, maxOrder, `{"role": "..."}`, hasRole, strictjson.Field{Name: "role"})
	if !ok {
		return
	}
	role, err := operator.ParseRole(in.String("role"))
	if err != nil {
		answerOrder(w, 0, nil, err)
		return
	}
	who, ok := o.named(w, r)
	if !ok {
		return
	}
	do := act{what: "operator.role", detail: fmt.Sprintf("%s from %v to %v", who.Name, who.Role, role)}
	o.carryOut(w, r, do, func(ctx context.Context) (any, error) {
		err := o.book.SetRole(ctx, who.Name, role)
		if err == nil {
			o.changed(ctx)
		}
		return operatorBody{who.Name, role.String(), who.CreatedAt, who.CreatedBy}, err
	})
}

func (o *operators) renew(w http.ResponseWriter, r *http.Request) {
	if _, ok := readNothing(w, r); !ok {
		return
	}
	who, ok := o.named(w, r)
	if !ok {
		return
	}
	do := act{what: "operator.token", detail: who.Name}
	o.carryOut(w, r, do, func(ctx context.Context) (any, error) {
		token, err := o.book.Renew(ctx, who.Name)
		if err == nil {
			o.changed(ctx)
		}
		return tokenBody{who.Name, token}, err
	})
}

func (o *operators) remove(w http.ResponseWriter, r *http.Request) {
	confirm, ok := readConfirm(w, r)
	if !ok {
		return
	}
	who, ok := o.named(w, r)
	if !ok {
		return
	}
	would := fmt.Sprintf("remove the operator %s, who has the role %v", who.Name, who.Role)
	made := who.CreatedAt.Format(time.RFC3339Nano) // another may have the name by then
	if !o.confirmed(w, r, confirm, "operator.remove", would, made) {
		return
	}
	o.carryOut(w, r, act{what: "operator.remove", detail: who.Name}, func(ctx context.Context) (any, error) {
		err := o.book.Remove(ctx, who.Name)
		if err == nil {
			o.changed(ctx)
		}
		return operatorBody{who.Name, who.Role.String(), who.CreatedAt, who.CreatedBy}, err
	})
}

// readNothing reads the body {} of an order that says everything by its path, or answers the request.
func readNothing(w http.ResponseWriter, r *http.Request) (strictjson.Values, bool) {
	return read(w, r, maxOrder, "{}", func(strictjson.Values) bool { return true })
}

// readConfirm reads the body of an order that cannot be undone, or answers the request.
func readConfirm(w http.ResponseWriter, r *http.Request) (confirm string, ok bool) {
	in, ok := read(w, r, maxOrder, `{} or {"confirm": "..."}`, func(strictjson.Values) bool { return true },
		strictjson.Field{Name: "confirm"})
	return in.String("confirm"), ok
}
