// Package notify tells people outside of the program what they should know: new leaks, falloff above its usual range, data that has
// become old, and that a person is needed. It does so by e-mail, by Slack-compatible webhooks, and by webhooks that are signed.
//
// What happened is an Event. It holds counts, sums, days and words of fixed lists, and nothing about a single patient or member of
// staff; texts are made of it here, so that nothing else can be in them. An Outbox keeps what is still to be said, and to whom, in a
// register of the lake: Tell puts each event there once, Deliver sends until it has arrived, was refused, or is a day old. A message
// keeps its id, so that one that arrives twice, because its answer was lost or the process was killed, can be told from a second one.
//
// BUG(notify): an e-mail to several people is one message; where the server refuses one of them, nobody gets it.
package notify
