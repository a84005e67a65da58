package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// What is done every quarter of an hour is not done before, and whoever stops it waits for what is under way.
func TestEveryQuarter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun, ended := 0, 0
		stop := everyQuarter(t.Context(), func() {
			begun++
			time.Sleep(5 * time.Minute)
			ended++
		})
		time.Sleep(waitingEvery - time.Second)
		synctest.Wait()
		if begun != 0 {
			t.Errorf("before a quarter is over it is done %d times", begun)
		}
		time.Sleep(2*waitingEvery + 2*time.Second)
		synctest.Wait()
		if begun != 3 || ended != 2 {
			t.Errorf("after three quarters it is begun %d times, ended %d times", begun, ended)
		}
		stop()
		if ended != 3 {
			t.Error("what was under way is not waited for")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if begun != 3 {
			t.Error("it goes on after it was stopped")
		}
	})
}
