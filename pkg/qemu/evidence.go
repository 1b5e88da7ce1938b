package qemu

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"slipway/pkg/port"
)

// Source is a pattern for the lines of one source alone, as the guest's
// supervisor knows it: see port.Request.
type Source struct {
	From    string
	Pattern *regexp.Regexp
}

// ParseSource reads FROM=REGEXP.
func ParseSource(text string) (Source, error) {
	from, pattern, ok := strings.Cut(text, "=")
	if !ok || from == "" {
		return Source{}, fmt.Errorf("%q: want NAME=REGEXP", text)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return Source{}, fmt.Errorf("%q: %w", text, err)
	}
	return Source{From: from, Pattern: re}, nil
}

func (s Source) String() string { return s.From + "=" + s.Pattern.String() }

func (s Source) matches(l port.Line) bool { return s.From == l.From && s.Pattern.MatchString(l.Text) }

// line takes a line of the console into account.
func (j *judge) line(s string, now time.Time) {
	j.remember(s)
	j.suspicious(s, now)
	for _, re := range j.watch.FailOn {
		if re.MatchString(s) {
			j.fail(s, now)
		}
	}
	if len(j.missing) > 0 {
		j.missing = slices.DeleteFunc(j.missing, func(re *regexp.Regexp) bool { return re.MatchString(s) && j.matched(re.String(), s) })
		j.seen(now)
	}
}

// matched notes what was expected and has come.
func (j *judge) matched(pattern, line string) bool {
	j.res.Seen = append(j.res.Seen, Match{pattern, strings.ToValidUTF8(line[:min(len(line), matchBytes)], "")})
	return true
}

func (j *judge) remember(s string) {
	if s == "" {
		return
	}
	j.res.Tail = append(j.res.Tail, s)
	if extra := len(j.res.Tail) - tailLines; extra > 0 {
		j.res.Tail = append(j.res.Tail[:0], j.res.Tail[extra:]...)
	}
}

func (j *judge) fail(line string, now time.Time) {
	if !j.end(FailMatched, strings.TrimSpace(line)) {
		return
	}
	if !j.owed() {
		j.endBy(now.Add(afterFail))
		return
	}
	if j.guest.end == "" {
		j.request() // its files may tell why
	}
	j.endBy(now.Add(afterTimeout))
}

// seen ends the run once all has come that is expected, the report too.
func (j *judge) seen(now time.Time) {
	if len(j.missing) == 0 && len(j.lacking) == 0 && (!j.watch.Report || !j.linesBy.IsZero()) && j.asked.IsZero() {
		j.askOff(now)
	}
}

// message takes a message of the guest into account.
func (j *judge) message(m port.Message, now time.Time) {
	switch {
	case m.Hello != nil:
		j.guest.spoke, j.res.spoke, j.guest.pvpanic = true, true, m.Hello.Pvpanic
		j.oom, j.hint = "", "" // the guest knows better
		if m.Hello.From != port.Services || j.guest.end == port.Shutdown {
			j.guest.end = "" // kexec(8) has begun another boot, or only the supervisor went down
		}
		j.request()
		if j.suspect != nil {
			j.suspect.ping = 0 // whoever was asked may have ended
		}
	case m.Pong != 0:
		j.answered(m.Pong)
	case m.Report != nil:
		j.reported(m.Report, now)
	case m.Line != nil:
		j.fromLine(*m.Line, now)
	case m.Timeline != nil:
		j.guest.timelined = true
		j.answeredAll(now)
	case m.File != nil:
		j.handing(now)
	case m.Files != nil:
		j.guest.handed = true
		j.answeredAll(now)
	case m.End != nil:
		j.ending(m.End, now)
	case m.Failed != nil:
		j.failedAfter(m.Failed)
	}
}

// fromLine takes a line into account whose source the guest vouches for.
func (j *judge) fromLine(l port.Line, now time.Time) {
	for _, s := range j.watch.FailOnFrom {
		if s.matches(l) {
			j.fail(clean(l.From+": "+l.Text), now)
		}
	}
	if len(j.lacking) > 0 {
		j.lacking = slices.DeleteFunc(j.lacking, func(s Source) bool { return s.matches(l) && j.matched(s.String(), clean(l.Text)) })
		j.seen(now)
	}
}

// reported keeps the first final report, or the one that was asked for because
// the time is over.
func (j *judge) reported(r *port.Report, now time.Time) {
	if j.res.Report != "" || !r.Final && !j.late() {
		return
	}
	text := "ok"
	if len(r.Faults) > 0 {
		text = "failed: " + clean(strings.Join(r.Faults, "; "))
	}
	j.res.Report, j.res.Containers, j.res.Faults = text, r.Containers, cleanAll(r.Faults)
	if j.held && len(r.Faults) == 0 && j.guest.end == "" {
		j.linesBy = now.Add(afterReport)
		j.seen(now)
	}
	j.answeredAll(now)
}

func cleanAll(lines []string) []string {
	var all []string
	for _, l := range lines {
		all = append(all, clean(l))
	}
	return all
}

// failedAfter adds to a report what failed on the way down. Without one nobody
// wants to know.
func (j *judge) failedAfter(faults []string) {
	if j.res.Report != "" {
		j.res.Faults = append(j.res.Faults, cleanAll(faults)...)
	}
	const failed = "failed: "
	text := clean(strings.Join(faults, "; "))
	switch before, ok := strings.CutPrefix(j.res.Report, failed); {
	case ok:
		j.res.Report = failed + before + "; " + text
	case j.res.Report != "":
		j.res.Report = failed + text
	}
}

// answeredAll ends a run that only waited for how the guest stands.
func (j *judge) answeredAll(now time.Time) {
	handed := j.guest.handed || j.watch.Output.Dir == ""
	switch {
	case j.late() && j.res.Report != "" && (j.guest.timelined || !j.timeline) && handed:
		j.endBy(now)
	case j.res.Ending == FailMatched && handed:
		j.endBy(now.Add(afterFail))
	}
}

// handing gives a guest that hands its files out the time to do so, and no more: the
// pieces say nothing of when they end.
func (j *judge) handing(now time.Time) {
	if !j.owed() {
		return
	}
	if j.handsOut.IsZero() {
		j.handsOut = now
	}
	more := afterTimeout
	if j.res.Ending == "" {
		more = j.off() // it is on its way down, which goes on behind that
	}
	t := now
	if last := j.handsOut.Add(handOutTime); t.After(last) {
		t = last
	}
	t = t.Add(more)
	if !j.quitAt.IsZero() && t.After(j.quitAt) && now.Before(j.quitAt) && !j.pulled {
		j.quitAt = t
	}
}

// ending: the guest goes down, by its own bounds.
func (j *judge) ending(e *port.End, now time.Time) {
	j.guest.end = e.Verb
	if j.oom == "" {
		j.oom = clean(e.OOM)
	}
	if !j.asked.IsZero() && j.res.Ending == "" && j.quitAt.After(now) {
		j.quitAt = now.Add(j.off())
	}
}

// message is a console line from the word that matters on, without the
// kernel's time stamp.
func message(s, from string) string {
	if i := strings.Index(s, from); i > 0 {
		s = s[i:]
	}
	return strings.TrimSpace(s)
}

// clean is a text of the guest's without what a terminal would act upon.
func clean(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text))
}
