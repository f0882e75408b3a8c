use super::*;
use crate::limits::shared::question::{Answer, Purpose};
use sluice_config::model::Rate;

impl Lease {
    pub(in crate::limits) fn balance(&self) -> i64 {
        self.balance
    }
}

fn lease(burst: u64) -> Lease {
    let limit = RateLimit { rate: Rate { amount: 10, per: Duration::from_secs(1) }, burst };
    Lease::rate(limit, OnRedisDown::Local, Arc::new(AtomicU32::new(1)))
}

fn at(millis: u64) -> At {
    At { now: Moment::at(Duration::from_millis(3_600_000 + millis)), second: 1_795_910_400 }
}

fn granted(units: i64) -> Answer {
    Answer { has: true, granted: true, units, remaining: 100, others: 0, wait: Duration::ZERO, paid: 0 }
}

#[test]
fn what_is_held_is_used_without_a_question_and_not_beyond_its_time() {
    let mut lease = lease(100);
    assert_eq!(lease.peek(5, at(0), How::Held), Err(Lack::Ask));
    let question = lease.ask(Purpose::Need(5), at(0));
    lease.hear(&question, &granted(20), at(10));
    assert_eq!(lease.peek(20, at(10), How::Held), Ok(()));
    assert_eq!(lease.peek(21, at(10), How::Held), Err(Lack::Ask));
    lease.take(8, at(10), How::Held);
    assert_eq!(lease.peek(12, at(7_999), How::Held), Ok(()));
    assert_eq!(lease.peek(1, at(8_000), How::Held), Err(Lack::Ask), "counted from the question");
}

#[test]
fn answers_in_another_order_bring_no_slice_that_was_given_back() {
    let mut lease = lease(100);
    let first = lease.ask(Purpose::Need(1), at(0));
    let second = lease.ask(Purpose::Need(1), at(1));
    // The second gave back what the first brings.
    lease.hear(&second, &granted(10), at(2));
    lease.hear(&first, &granted(30), at(3));
    assert_eq!(lease.balance, 10);
    let third = lease.ask(Purpose::TopUp, at(4));
    let fourth = lease.ask(Purpose::GiveBack, at(5));
    lease.hear(&third, &granted(50), at(6));
    assert_eq!(lease.balance, 0);
    lease.hear(&fourth, &granted(0), at(7));
    assert_eq!(lease.balance, 0);
}

#[test]
fn what_is_drawn_while_a_question_is_under_way_is_not_given_twice() {
    let mut lease = lease(100);
    let first = lease.ask(Purpose::Need(1), at(0));
    lease.hear(&first, &granted(20), at(1));
    let more = lease.ask(Purpose::TopUp, at(2));
    lease.take(15, at(3), How::Held);
    lease.hear(&more, &granted(40), at(4));
    assert_eq!((lease.balance, lease.drawn - lease.told), (25, 15));
}

#[test]
fn a_refusal_is_remembered_for_as_much_and_more_but_not_for_less() {
    let mut lease = lease(100);
    let question = lease.ask(Purpose::Need(5), at(0));
    let no = Answer { has: false, granted: false, wait: Duration::from_secs(2), ..granted(0) };
    lease.hear(&question, &no, at(10));
    let short = Err(Lack::Short(Short::For(Duration::from_secs(2))));
    assert_eq!(lease.peek(5, at(10), How::Held), short);
    assert_eq!(lease.peek(4, at(10), How::Held), Err(Lack::Ask));
    assert_eq!(lease.peek(5, at(261), How::Held), Err(Lack::Ask), "others may have given back");
    assert_eq!(lease.peek(101, at(0), How::Held), Err(Lack::Short(Short::ForEver)));
}

#[test]
fn headers_tell_of_the_whole_and_not_of_the_slice() {
    let mut lease = lease(100);
    assert_eq!(lease.left(at(0)).remaining, 100);
    let question = lease.ask(Purpose::Need(10), at(0));
    lease.hear(&question, &Answer { remaining: 40, others: 30, ..granted(20) }, at(0));
    lease.take(10, at(0), How::Granted);
    let left = lease.left(at(0));
    assert_eq!((left.limit, left.remaining), (100, 60));
    assert_eq!(lease.left(at(500)).remaining, 65, "refilled since");
}
