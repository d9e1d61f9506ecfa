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

/// Rows of a transaction and writers of a primary where stores are filled and nothing is measured.
const FILL: (u16, u16) = (1024, 2);

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

/// All writers of one template.
struct Writers {
    writers: Vec<Writer>,
    workload: Arc<Workload>,
}

/// One measurement on a new template, audited.
pub(crate) async fn measure(
    deployment: &Deployment,
    client: &Client,
    way: (u16, u16),
    window: &WindowSpec,
    screen: Screen,
) -> Result<Figures, Error> {
    let writers = Writers::open(deployment, client, way, window.seed).await?;
    let (workload, tiers) = (Arc::clone(&writers.workload), deployment.tiers());
    let board = Arc::new(Board::new());
    let tasks = writers.start(&board, u64::MAX);
    let watched = board.watch(&Target { proxies: &[], tiers: &tiers, screen }, window).await?;
    let book = written(tasks).await?;
    let counts = Counts::of(&[("transactions", watched.transactions), ("coupons", watched.recorder.coupons)]);
    let audit = audit(deployment, &workload, &book, sql::REQUESTS).await?;
    Ok(figures(&Watched { counts, ..watched }, audit, 0.0))
}

/// At least so many coupons of a new template, as quickly as the servers take them, audited. Tells how many there are. They
/// are written in no order of users, so that pages are as full as they are in life.
pub(crate) async fn fill(deployment: &Deployment, client: &Client, coupons: u64, seed: u64) -> Result<u64, Error> {
    let writers = Writers::open(deployment, client, FILL, seed).await?;
    let workload = Arc::clone(&writers.workload);
    let each = coupons.div_ceil(writers.writers.len() as u64);
    let book = written(writers.start(&Arc::new(Board::new()), each)).await?;
    let audit = audit(deployment, &workload, &book, sql::REQUESTS).await?;
    audit.void().map_or(Ok(audit.rows), |why| Err(Error::Void(why)))
}

impl Writers {
    async fn open(
        deployment: &Deployment,
        client: &Client,
        (batch, writers): (u16, u16),
        seed: u64,
    ) -> Result<Self, Error> {
        let templates = deployment.publish(client, Kind::Rush, 1).await?;
        let sub_stocks = client.get_template(templates[0]).await?.sub_stocks;
        let workload = Arc::new(Workload::new(Kind::Rush, seed, templates));
        let count = u64::from(writers) * deployment.topology.primaries.len() as u64;
        let both = deployment.topology.primaries.iter().zip(deployment.testbed.primaries());
        let places = both.flat_map(|place| std::iter::repeat_n(place, writers.into()));
        let mut all = Vec::new();
        for (index, (primary, database)) in (0..count).zip(places) {
            all.push(Writer {
                conn: Conn::new(Opts::from(database.options().prefer_socket(false))).await?,
                workload: Arc::clone(&workload),
                users: UsersOf::new(&deployment.topology, primary.id),
                sub_stocks: sub_stocks.clone(),
                index,
                writers: count,
                batch: batch.into(),
                text: String::new(),
                rows: Vec::new(),
            });
        }
        Ok(Self { writers: all, workload })
    }

    /// Each writes until the board says stop, or until it has written so many rows.
    fn start(self, board: &Arc<Board>, rows: u64) -> JoinSet<Result<Written, Error>> {
        let mut tasks = JoinSet::new();
        for mut writer in self.writers {
            let board = Arc::clone(board);
            tasks.spawn(async move { writer.write(&board, rows).await });
        }
        tasks
    }
}

/// What one writer wrote: requests `index`, `index + stride`, and so on, so many of them.
struct Written {
    index: u64,
    stride: u64,
    count: u64,
}

async fn written(mut tasks: JoinSet<Result<Written, Error>>) -> Result<Book, Error> {
    let mut book = Book::default();
    while let Some(task) = tasks.join_next().await {
        let Written { index, stride, count } = task??;
        (0..count).for_each(|number| _ = book.acknowledged.insert(index + number * stride));
    }
    Ok(book)
}

impl Writer {
    /// Writes until it is stopped or has written so many rows.
    async fn write(&mut self, board: &Board, rows: u64) -> Result<Written, Error> {
        let mut written = 0;
        while !board.is_stopped() && written < rows {
            self.packet(written);
            let sent = Instant::now();
            self.conn.query_drop(self.text.as_str()).await?;
            board.committed(self.batch, sent.elapsed());
            written += self.batch;
        }
        Ok(Written { index: self.index, stride: self.writers, count: written })
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
