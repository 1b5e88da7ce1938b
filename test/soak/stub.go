package main

func (s *soak) boots(t *tally) error      { return nil }
func (s *soak) cuts(t *tally) error       { return nil }
func (s *soak) machines(t *tally) error   { return nil }
func (s *soak) supervisor(t *tally) error { return nil }
func (s *soak) commands(t *tally) error   { return nil }
func (s *soak) disks(t *tally) error      { return nil }
func (s *soak) attacks(t *tally) error    { return nil }
