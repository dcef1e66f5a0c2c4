package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var agendaCases = []testCase{
	{"EachFieldIsKept", tasksKept},
	{"DueTasksAreTakenInOrder", tasksInOrder},
	{"TakenIsSetAside", tasksSetAside},
	{"PlannedAnewReplaces", tasksReplaced},
	{"DroppedIsGone", tasksDropped},
	{"WhatTookTheirPlaceStays", tasksSuperseded},
	{"KindsAreApart", tasksApart},
	{"TakersAtOnceGetDifferentTasks", tasksRace},
	{"FullIsAnswered", agendaFull},
	{"BoundsAreNamed", badTasks},
	{"DurableAcrossReopen", tasksReopen},
}

// mail returns a task of that kind, due some minutes after the epoch: long ago, by the suite's clocks.
func mail(id string, minutes int) rushgate.Task {
	due := epoch.Add(time.Duration(minutes) * time.Minute)
	return rushgate.Task{Kind: "mail", ID: id, Due: due, Data: []byte("data of " + id)}
}

func plan(t *testing.T, s rushgate.Store, tasks ...rushgate.Task) {
	t.Helper()
	errs, err := s.PlanTasks(t.Context(), tasks)
	if err != nil || len(errs) != len(tasks) {
		t.Fatalf("PlanTasks of %d: %d results, %v", len(tasks), len(errs), err)
	}
	for i, err := range errs {
		if err != nil {
			t.Fatalf("PlanTasks of %+v: %v", tasks[i], err)
		}
	}
}

func take(t *testing.T, s rushgate.Store, kind string, limit int, hold time.Duration) []rushgate.Task {
	t.Helper()
	tasks, err := s.TakeTasks(t.Context(), kind, limit, hold)
	if err != nil {
		t.Fatalf("TakeTasks(%s, %d, %v): %v", kind, limit, hold, err)
	}
	return tasks
}

func sameTask(a, b rushgate.Task) bool {
	return a.Kind == b.Kind && a.ID == b.ID && a.Due.Equal(b.Due) && bytes.Equal(a.Data, b.Data)
}

func wantTasks(t *testing.T, what string, got []rushgate.Task, want ...rushgate.Task) {
	t.Helper()
	if !slices.EqualFunc(got, want, sameTask) {
		t.Fatalf("%s: tasks are\n%+v, want\n%+v", what, got, want)
	}
}

// wantPlanned checks what is planned under the name of each task, also if nothing.
func wantPlanned(t *testing.T, s rushgate.Store, kind, ids string, want ...rushgate.Task) {
	t.Helper()
	var names []rushgate.TaskID
	for id := range strings.FieldsSeq(ids) {
		names = append(names, rushgate.TaskID{Kind: kind, ID: id})
	}
	got, err := s.LoadTasks(t.Context(), names)
	if err != nil {
		t.Fatalf("LoadTasks(%v): %v", names, err)
	}
	wantTasks(t, fmt.Sprint(names), got, want...)
}

func wantCount(t *testing.T, s rushgate.Store, kind string, want int) {
	t.Helper()
	if n, err := s.CountTasks(t.Context(), kind); err != nil || n != want {
		t.Errorf("CountTasks(%s) = %d, %v; want %d", kind, n, err, want)
	}
}

func tasksKept(t *testing.T, h Harness) {
	s := h.open(t)
	all := make([]byte, rushgate.MaxTaskData)
	for i := range all {
		all[i] = byte(i)
	}
	kind := strings.Repeat("a0-", rushgate.MaxTaskKind)[:rushgate.MaxTaskKind]
	full := rushgate.Task{Kind: kind, ID: strings.Repeat("I", rushgate.MaxAttemptLen), Due: rushgate.Forever(), Data: all}
	bare := rushgate.Task{Kind: kind, ID: "_", Due: time.UnixMilli(1)}
	empty := rushgate.Task{Kind: kind, ID: "-", Data: []byte{}}
	empty.Due = epoch.Add(999 * time.Microsecond).In(time.FixedZone("somewhere", 3600))
	given := full
	given.Data = bytes.Clone(all)
	plan(t, s, given, bare, empty)
	clear(given.Data) // the caller's to change
	empty.Due = epoch // times are kept to the millisecond
	for range 2 {
		wantPlanned(t, s, kind, full.ID+" none - _ -", full, rushgate.Task{}, empty, bare, empty)
		loaded, err := s.LoadTasks(t.Context(), []rushgate.TaskID{{Kind: kind, ID: full.ID}})
		if err != nil {
			t.Fatal(err)
		}
		clear(loaded[0].Data)
	}
	for range 2 {
		tasks := take(t, s, kind, 10, time.Minute)
		wantTasks(t, "taken", tasks, bare, empty)
		plan(t, s, bare, empty)
	}
	plan(t, s)
	wantPlanned(t, s, kind, "")
}

func tasksInOrder(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	later := mail("later", 0)
	later.Due = now.Add(time.Hour)
	exact := mail("exact", 0)
	exact.Due = now
	soon := mail("soon", 0)
	soon.Due = now.Add(time.Millisecond)
	plan(t, s, later, mail("c", 3), soon, exact, mail("a", 1), mail("b", 2))
	wantTasks(t, "the first", take(t, s, "mail", 1, time.Hour), mail("a", 1))
	wantTasks(t, "two more", take(t, s, "mail", 2, time.Hour), mail("b", 2), mail("c", 3))
	wantTasks(t, "what is due just now", take(t, s, "mail", 10, time.Hour), exact)
	wantTasks(t, "nothing more", take(t, s, "mail", 10, time.Hour))
	h.Advance(time.Millisecond)
	wantTasks(t, "a moment later", take(t, s, "mail", rushgate.MaxPage, time.Hour), soon)
	h.Advance(time.Hour - 2*time.Millisecond)
	wantTasks(t, "just before an hour", take(t, s, "mail", 10, time.Hour))
	wantCount(t, s, "mail", 6)
}

func tasksSetAside(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	plan(t, s, mail("a", 1), mail("b", 2))
	wantTasks(t, "at first", take(t, s, "mail", 1, time.Minute), mail("a", 1))
	held := mail("a", 1)
	held.Due = now.Add(time.Minute)
	wantPlanned(t, s, "mail", "a b", held, mail("b", 2))
	wantCount(t, s, "mail", 2)
	h.Advance(time.Minute - time.Millisecond)
	wantTasks(t, "the other", take(t, s, "mail", 10, rushgate.MaxHold), mail("b", 2))
	h.Advance(time.Millisecond)
	wantTasks(t, "again", take(t, s, "mail", 10, time.Nanosecond), held)
	wantTasks(t, "within a short time", take(t, s, "mail", 10, time.Minute))
	h.Advance(time.Millisecond)
	if got := take(t, s, "mail", 10, time.Minute); len(got) != 1 || got[0].ID != "a" {
		t.Errorf("after a short time: %+v", got)
	}
}

func tasksReplaced(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	old, next := mail("a", 1), mail("a", 0)
	next.Due, next.Data = now.Add(time.Hour), []byte("other")
	plan(t, s, old, next)
	wantPlanned(t, s, "mail", "a", next)
	wantTasks(t, "not due any more", take(t, s, "mail", 10, time.Hour))
	plan(t, s, old)
	wantTasks(t, "due again", take(t, s, "mail", 10, time.Hour), old)
	plan(t, s, old) // though it is set aside
	wantTasks(t, "planned anew", take(t, s, "mail", 10, time.Hour), old)
	wantCount(t, s, "mail", 1)
}

func tasksDropped(t *testing.T, h Harness) {
	s := h.open(t)
	plan(t, s, mail("a", 1), mail("b", 2), mail("c", 3))
	take(t, s, "mail", 1, time.Minute)
	ids := []rushgate.Task{
		{Kind: "mail", ID: "a"}, {Kind: "mail", ID: "none"}, {Kind: "other", ID: "c"}, {Kind: "mail", ID: "b"},
	}
	for range 2 {
		if err := s.DropTasks(t.Context(), ids); err != nil {
			t.Fatalf("DropTasks: %v", err)
		}
		wantPlanned(t, s, "mail", "a b c", rushgate.Task{}, rushgate.Task{}, mail("c", 3))
		wantCount(t, s, "mail", 1)
	}
	h.Advance(time.Hour)
	wantTasks(t, "what is left", take(t, s, "mail", 10, time.Minute), mail("c", 3))
	if err := s.DropTasks(t.Context(), nil); err != nil {
		t.Errorf("DropTasks of none: %v", err)
	}
}

func tasksSuperseded(t *testing.T, h Harness) {
	s := h.open(t)
	plan(t, s, mail("a", 1), mail("b", 2), mail("c", 3), mail("d", 4))
	taken := take(t, s, "mail", 10, time.Minute)
	if len(taken) != 4 || taken[0].Held.IsZero() || !taken[0].Held.Equal(taken[3].Held) {
		t.Fatalf("taken are %+v", taken)
	}
	anew := mail("b", 9)
	anew.Due = taken[0].Held.Add(2 * time.Hour)
	plan(t, s, mail("a", 1), anew)
	h.Advance(time.Minute)
	again := take(t, s, "mail", 2, time.Hour)
	wantTasks(t, "again", again, mail("a", 1), withDue(mail("c", 3), taken[2].Held))
	late := taken[:3]
	late[2].Due, late[2].Data = anew.Due, []byte("other")
	errs, err := s.PlanTasks(t.Context(), late)
	for i, e := range errs {
		if !errors.Is(e, rushgate.ErrTaskChanged) {
			t.Errorf("PlanTasks in place of task %d, which is held no more: %v, %v", i, e, err)
		}
	}
	if err := s.DropTasks(t.Context(), late); err != nil {
		t.Fatalf("DropTasks: %v", err)
	}
	held := again[1].Held
	wantPlanned(t, s, "mail", "a b c", withDue(mail("a", 1), held), anew, withDue(mail("c", 3), held))
	put := withDue(mail("a", 1), anew.Due)
	put.Held = held
	plan(t, s, put)
	if err := s.DropTasks(t.Context(), append(again, taken[3])); err != nil {
		t.Fatalf("DropTasks: %v", err)
	}
	wantPlanned(t, s, "mail", "a b c d", withDue(mail("a", 1), anew.Due), anew, rushgate.Task{}, rushgate.Task{})
	wantCount(t, s, "mail", 2)
	if errs, err := s.PlanTasks(t.Context(), again[1:]); err != nil || !errors.Is(errs[0], rushgate.ErrTaskChanged) {
		t.Errorf("PlanTasks in place of one that was dropped: %v, %v", errs, err)
	}
}

func withDue(task rushgate.Task, due time.Time) rushgate.Task {
	task.Due = due
	return task
}

func tasksApart(t *testing.T, h Harness) {
	s := h.open(t)
	kinds := []string{"a", "aa", "a-", "-", "0"}
	of := func(kind string) rushgate.Task {
		task := mail("same", 1)
		task.Kind = kind
		return task
	}
	for _, kind := range kinds {
		plan(t, s, of(kind))
	}
	for _, kind := range kinds {
		wantCount(t, s, kind, 1)
		wantTasks(t, kind, take(t, s, kind, 10, time.Minute), of(kind))
	}
	wantCount(t, s, "b", 0)
	if err := s.DropTasks(t.Context(), []rushgate.Task{{Kind: "a", ID: "same"}}); err != nil {
		t.Fatal(err)
	}
	wantCount(t, s, "a", 0)
	wantCount(t, s, "aa", 1)
}

func tasksRace(t *testing.T, h Harness) {
	const takers, tasks = 8, 100
	s := h.open(t)
	var planned []rushgate.Task
	for i := range tasks {
		planned = append(planned, mail(fmt.Sprint(i), i))
	}
	plan(t, s, planned...)
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken := make(map[string]int)
	for range takers {
		wg.Go(func() {
			for {
				got, err := s.TakeTasks(t.Context(), "mail", 7, time.Hour)
				if err != nil || len(got) > 7 {
					t.Errorf("TakeTasks: %d tasks, %v", len(got), err)
				}
				if err != nil || len(got) == 0 {
					return
				}
				mu.Lock()
				for _, task := range got {
					taken[task.ID]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, task := range planned {
		if n := taken[task.ID]; n != 1 {
			t.Errorf("task %s was taken %d times", task.ID, n)
		}
	}
}

func agendaFull(t *testing.T, h Harness) {
	if h.FewWrites {
		t.Skip("the store writes too slowly")
	}
	s := h.open(t)
	batch := make([]rushgate.Task, 0, 1<<12)
	for i := range rushgate.MaxTasks - 1 {
		batch = append(batch, rushgate.Task{Kind: fmt.Sprint("kind-", i%3), ID: fmt.Sprint(i), Due: epoch})
		if len(batch) == cap(batch) {
			plan(t, s, batch...)
			batch = batch[:0]
		}
	}
	plan(t, s, batch...)
	want := func(task rushgate.Task, want error) {
		t.Helper()
		if errs, err := s.PlanTasks(t.Context(), []rushgate.Task{task}); err != nil || !errors.Is(errs[0], want) {
			t.Errorf("PlanTasks of %s: %v, %v; want %v", task.ID, errs, err, want)
		}
	}
	batch = []rushgate.Task{mail("last", 1), mail("too-many", 1), mail("last", 2)}
	errs, err := s.PlanTasks(t.Context(), batch)
	if err != nil || errs[0] != nil || !errors.Is(errs[1], rushgate.ErrAgendaFull) || errs[2] != nil {
		t.Errorf("the last tasks: %v, %v", errs, err)
	}
	wantPlanned(t, s, "mail", "last too-many", mail("last", 2), rushgate.Task{})
	want(rushgate.Task{Kind: "kind-0", ID: "0", Due: epoch}, nil) // in place of itself
	want(rushgate.Task{Kind: "other", ID: "0", Due: epoch}, rushgate.ErrAgendaFull)
	if err := s.DropTasks(t.Context(), []rushgate.Task{{Kind: "kind-1", ID: "1"}}); err != nil {
		t.Fatal(err)
	}
	want(rushgate.Task{Kind: "other", ID: "0", Due: epoch}, nil)
	want(rushgate.Task{Kind: "other", ID: "1", Due: epoch}, rushgate.ErrAgendaFull)
	wantCount(t, s, "kind-0", (rushgate.MaxTasks+1)/3) // every third, the first included
}

func badTasks(t *testing.T, h Harness) {
	const secret = "5ecret"
	s := h.open(t)
	check := func(what string, err error, says string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v, want one that says %q and no data", what, err, says)
		}
	}
	for says, edit := range map[string]func(*rushgate.Task){
		"kind of a task has 0 bytes":  func(a *rushgate.Task) { a.Kind = "" },
		"kind of a task has 33 bytes": func(a *rushgate.Task) { a.Kind = strings.Repeat("k", 33) },
		"other characters":            func(a *rushgate.Task) { a.Kind = "Mail" },
		"id of 0 bytes":               func(a *rushgate.Task) { a.ID = "" },
		"id of 65 bytes":              func(a *rushgate.Task) { a.ID = strings.Repeat("i", 65) },
		"1970":                        func(a *rushgate.Task) { a.Due = time.UnixMilli(0) },
		"9999":                        func(a *rushgate.Task) { a.Due = rushgate.Forever().Add(1) },
		"data has 4098 bytes":         func(a *rushgate.Task) { a.Data = bytes.Repeat([]byte(secret), 683) },
	} {
		bad := mail("b", 1)
		edit(&bad)
		_, err := s.PlanTasks(t.Context(), []rushgate.Task{mail("a", 1), bad})
		check("PlanTasks", err, says)
	}
	for _, bad := range []rushgate.TaskID{
		{Kind: "", ID: "a"}, {Kind: "a_b", ID: "a"}, {Kind: "a", ID: ""}, {Kind: "a", ID: "é"},
	} {
		_, err := s.LoadTasks(t.Context(), []rushgate.TaskID{bad})
		check("LoadTasks", err, "task 1 of 1")
		check("DropTasks", s.DropTasks(t.Context(), []rushgate.Task{{Kind: bad.Kind, ID: bad.ID}}), "task 1 of 1")
	}
	check("DropTasks", s.DropTasks(t.Context(), []rushgate.Task{{Kind: "a", ID: "a", Held: time.UnixMilli(0)}}), "held")
	_, err := s.CountTasks(t.Context(), "é")
	check("CountTasks", err, "other characters")
	for says, call := range map[string]struct {
		kind  string
		limit int
		hold  time.Duration
	}{
		"limit of 0": {"mail", 0, 1}, "limit of 1001": {"mail", 1001, 1}, "0 bytes": {"", 1, 1},
		"for 0s": {"mail", 1, 0}, "for -1ns": {"mail", 1, -1}, "for 24h0m0.000000001s": {"mail", 1, rushgate.MaxHold + 1},
	} {
		_, err := s.TakeTasks(t.Context(), call.kind, call.limit, call.hold)
		check("TakeTasks", err, says)
	}
	wantCount(t, s, "mail", 0)
}

func tasksReopen(t *testing.T, h Harness) {
	s := h.open(t)
	plan(t, s, mail("a", 1), mail("b", 2))
	take(t, s, "mail", 1, time.Minute)
	s = h.reopen(t, s)
	wantCount(t, s, "mail", 2)
	wantTasks(t, "after a restart", take(t, s, "mail", 10, time.Hour), mail("b", 2))
	h.Advance(time.Minute)
	if got := take(t, s, "mail", 10, time.Hour); len(got) != 1 || got[0].ID != "a" {
		t.Errorf("what was set aside is %+v", got)
	}
}
