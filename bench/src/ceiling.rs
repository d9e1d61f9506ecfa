//! The ceiling: the same rows and ledgers, written in the best batches of text that the servers take, without any claim
//! behind them. No stock is taken, no fence is checked, nobody is answered.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use scrip_client::Client;
use tokio::task::JoinSet;

use crate::audit::audit;
use crate::board::{Board, Target, Watched};
use crate::book::Book;
use crate::counts::Counts;
use crate::deployment::Deployment;
use crate::direct::UsersOf;
use crate::report::Figures;
use crate::run::figures;
use crate::screen::Screen;
use crate::spec::WindowSpec;
use crate::workload::{Kind, Workload};
use crate::{Error, sql};

/// Any time will do, and one of the usual length.
const CLAIMED_AT_MS: u64 = 1_750_000_000_000;

/// One connection's part of the work.
struct Writer {
    conn: Conn,
    workload: Arc<Workload>,
    users: UsersOf,
    sub_stocks: Vec<u32>,
    /// Which of all writers: requests are numbered `index`, `index + writers`, and so on.
    index: u64,
    writers: u64,
    batch: u64,
    text: String,
    rows: Vec<(u64, u64)>,
}

/// One measurement on a new template, audited.
pub(crate) async fn measure(
    deployment: &Deployment,
    client: &Client,
    (batch, writers): (u16, u16),
    window: &WindowSpec,
    screen: Screen,
) -> Result<Figures, Error> {
    let templates = deployment.publish(client, Kind::Rush, 1).await?;
    let sub_stocks = client.get_template(templates[0]).await?.sub_stocks;
    let workload = Arc::new(Workload::new(Kind::Rush, window.seed, templates));
    let tiers = deployment.tiers();
    let (board, mut tasks) = (Arc::new(Board::new()), JoinSet::new());
    let count = u64::from(writers) * deployment.topology.primaries.len() as u64;
    let both = deployment.topology.primaries.iter().zip(deployment.testbed.primaries());
    let places = both.flat_map(|place| std::iter::repeat_n(place, writers.into()));
    for (index, (primary, database)) in (0..count).zip(places) {
        let mut writer = Writer {
            conn: Conn::new(Opts::from(database.options().prefer_socket(false))).await?,
            workload: Arc::clone(&workload),
            users: UsersOf::new(&deployment.topology, primary.id),
            sub_stocks: sub_stocks.clone(),
            index,
            writers: count,
            batch: batch.into(),
            text: String::new(),
            rows: Vec::new(),
        };
        let board = Arc::clone(&board);
        tasks.spawn(async move { writer.write(&board).await });
    }
    let watched = board.watch(&Target { proxies: &[], tiers: &tiers, screen }, window).await?;
    let mut book = Book::default();
    while let Some(task) = tasks.join_next().await {
        let (index, written) = task??;
        (0..written).for_each(|number| _ = book.acknowledged.insert(index + number * count));
    }
    let counts = Counts { transactions: watched.transactions, coupons: watched.recorder.coupons, ..Counts::default() };
    let audit = audit(deployment, &workload, &book, sql::REQUESTS).await?;
    Ok(figures(&Watched { counts, ..watched }, audit, 0.0))
}

impl Writer {
    /// Writes until it is stopped, and tells who it is and how many rows were committed.
    async fn write(&mut self, board: &Board) -> Result<(u64, u64), Error> {
        let mut written = 0;
        while !board.is_stopped() {
            self.packet(written);
            let sent = Instant::now();
            self.conn.query_drop(self.text.as_str()).await?;
            board.committed(self.batch, sent.elapsed());
            written += self.batch;
        }
        Ok((self.index, written))
    }

    /// One transaction as one packet, rows in the order of the primary key.
    fn packet(&mut self, written: u64) {
        let template = self.workload.templates()[0].get();
        let sub_stock = self.sub_stocks[(written / self.batch) as usize % self.sub_stocks.len()];
        let numbers = written..written + self.batch;
        self.rows.clear();
        // Writers of one primary have users of their own.
        let user = |number| self.users.user(number * self.writers + self.index);
        self.rows.extend(numbers.map(|number| (user(number), self.index + number * self.writers)));
        self.rows.sort_unstable_by_key(|(user, _)| (user % 10_000, *user));
        self.text.clear();
        // Writing to a String cannot fail.
        let text = &mut self.text;
        let _ = write!(
            text,
            "{}{} WHERE template_id={template} AND sub_stock={sub_stock} AND stripe=0{}",
            sql::CEILING_LEDGER,
            self.batch,
            sql::CEILING_COUPONS
        );
        for (index, (user, request)) in self.rows.iter().enumerate() {
            let id = u128::from_be_bytes(self.workload.request_id(*request).0);
            let comma = if index == 0 { "" } else { "," };
            let tail = user % 10_000;
            let _ = write!(text, "{comma}({tail},{user},{template},1,x'{id:032x}',{sub_stock},{CLAIMED_AT_MS})");
        }
        text.push_str(sql::CEILING_COMMIT);
    }
}
