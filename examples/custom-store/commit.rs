//! The one transaction that changes the database.

use redb::{Database, Error, Table};

use crate::tables::{ENTRIES, MESSAGES, POLICIES, QUEUES, SHARES, TALLIES, code, key};
use crate::work::Work;

/// Writes everything that waits in one transaction with one sync.
///
/// All or nothing comes from here: a crash before the end of `commit` leaves nothing of the transaction.
pub(crate) fn commit(database: &Database, work: &Work, next_message: &mut u64) -> Result<(), Error> {
    let change = database.begin_write()?;
    {
        let mut messages = change.open_table(MESSAGES)?;
        let mut shares = change.open_table(SHARES)?;
        let mut entries = change.open_table(ENTRIES)?;
        for row in &work.rows {
            let number = *next_message;
            *next_message += 1;
            messages.insert(number, row.message.encoded().as_ref())?;
            if row.offsets.len() > 1 {
                shares.insert(number, row.offsets.len() as u64)?;
            }
            for (target, offset) in row.targets.iter().zip(&row.offsets) {
                let (endpoint, rank) = key(&target.queue);
                let expires = target.time_to_live.map(|life| (row.enqueued + life).as_unix_ms());
                let entry = (number, row.enqueued.as_unix_ms(), expires, target.route.as_str());
                entries.insert((endpoint, rank, *offset), entry)?;
            }
        }
        let mut queues = change.open_table(QUEUES)?;
        let mut left = Vec::new();
        for (queue, bounds) in &work.queues {
            let (endpoint, rank) = key(queue);
            queues.insert((endpoint, rank), (bounds.head, bounds.next))?;
        }
        let mut tallies = change.open_table(TALLIES)?;
        for ((queue, route, how), count) in &work.tallies {
            let (endpoint, rank) = key(queue);
            tallies.insert((endpoint, rank, route.as_str(), code(*how)), count)?;
        }
        let mut policies = change.open_table(POLICIES)?;
        for ((queue, route), overflow) in &work.policies {
            let (endpoint, rank) = key(queue);
            policies.insert((endpoint, rank, route.as_str()), overflow.to_string().as_str())?;
        }
        for (queue, offset) in &work.left {
            let (endpoint, rank) = key(queue);
            left.extend(entries.remove((endpoint, rank, *offset))?.map(|entry| entry.value().0));
        }
        for number in left {
            let_go(&mut messages, &mut shares, number)?;
        }
    }
    change.commit()?;
    Ok(())
}

/// Takes one entry's hold off a message; the last one removes it.
fn let_go(
    messages: &mut Table<'_, u64, &[u8]>,
    shares: &mut Table<'_, u64, u64>,
    number: u64,
) -> Result<(), Error> {
    let holders = shares.remove(number)?.map_or(1, |holders| holders.value());
    if holders > 2 {
        shares.insert(number, holders - 1)?;
    }
    if holders <= 1 {
        messages.remove(number)?;
    }
    Ok(())
}
