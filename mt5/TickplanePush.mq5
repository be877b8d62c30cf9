//+------------------------------------------------------------------+
//| TickplanePush.mq5                                                |
//|                                                                  |
//| Pushes the state of the account that this terminal is logged in  |
//| to. It reads and never trades. Set-up: README.md beside it.      |
//+------------------------------------------------------------------+
#property copyright   "Tickplane"
#property version     "1.00"
#property description "Pushes this account's balance, positions and orders to Tickplane. Never trades."
#property description "Allow its address first: Tools > Options > Expert Advisors > Allow WebRequest for listed URL."

input string InpUrl              = "https://tickplane.example";  // Address of Tickplane, without a path
input string InpAccountId        = "";                           // Account id (a UUID, shown in the admin)
input string InpToken            = "";                           // Account token (tpa_...)
input int    InpTimerMs          = 100;                          // Look for changes every so many milliseconds
input int    InpRefreshSeconds   = 3;                            // Push new prices and profits every so many seconds
input int    InpHeartbeatSeconds = 5;                            // Push at least every so many seconds
input int    InpTimeoutMs        = 5000;                         // Wait at most so many milliseconds for an answer
input int    InpSettleSeconds    = 5;                            // After a connection to the broker, wait before believing the lists
input string InpRecordFile       = "";                           // Also record to this file in MQL5\Files (empty: do not)

//--- What the server takes at most is twice as much.
#define MOST_HISTORY_ORDERS 1000
#define MOST_DEALS          1000
#define MOST_RECORD_BYTES   60000000
//--- Prices and volumes are never finer.
#define MOST_DIGITS         8
//--- How many timer events an order's outcome is waited for.
#define MOST_WAITS          5
#define FIRST_BACKOFF_MS    1000
#define LONGEST_BACKOFF_MS  60000
//--- How far back the first push tells how orders ended, and every other one at least.
#define FIRST_HISTORY_S     604800
#define HISTORY_S           600

//--- Something was traded, so the lists and the history are pushed at once.
bool   g_dirty             = true;
//--- The last body that the server took, and when.
string g_taken             = "";
ulong  g_taken_at          = 0;
ulong  g_refreshed_at      = 0;
//--- The broker's time of the last push with history: what ended since then is told in the next.
datetime g_history_from    = 0;
//--- What the lists of the last body that was taken held.
int    g_positions_total   = 0;
int    g_orders_total      = 0;
ulong  g_orders[];
int    g_waits             = 0;
//--- Since when the terminal has been connected without a break; 0: it is not.
ulong  g_connected_at      = 0;
bool   g_told_connected    = false;
bool   g_ever_connected    = false;
//--- After a failure: how many in a row, until when to keep still, and what was said about it.
int    g_failures          = 0;
ulong  g_still_until       = 0;
string g_complaint         = "";
string g_endpoint          = "";
string g_headers           = "";
bool   g_record_full       = false;

//+------------------------------------------------------------------+
//| Start and end                                                    |
//+------------------------------------------------------------------+
int OnInit()
  {
   if(MQLInfoInteger(MQL_TESTER) != 0)
     {
      Print("Tickplane: the strategy tester has no WebRequest; attach me to a chart.");
      return(INIT_FAILED);
     }
   string url = Trimmed(InpUrl);
   string id = Trimmed(InpAccountId);
   string token = Trimmed(InpToken);
   if(StringFind(url, "https://") != 0 && StringFind(url, "http://") != 0)
     {
      Print("Tickplane: InpUrl must begin with https:// or http://");
      return(INIT_PARAMETERS_INCORRECT);
     }
   if(StringLen(id) != 36)
     {
      Print("Tickplane: InpAccountId must be the account's id as the admin shows it, 36 characters");
      return(INIT_PARAMETERS_INCORRECT);
     }
   if(token == "" || StringFind(token, "\r") >= 0 || StringFind(token, "\n") >= 0)
     {
      Print("Tickplane: InpToken must be the account's token; it begins with tpa_");
      return(INIT_PARAMETERS_INCORRECT);
     }
   if(InpTimerMs < 20 || InpRefreshSeconds < 1 || InpHeartbeatSeconds < 1 || InpTimeoutMs < 500)
     {
      Print("Tickplane: at least 20 ms timer, 1 s refresh, 1 s heartbeat, 500 ms timeout");
      return(INIT_PARAMETERS_INCORRECT);
     }
   if(StringFind(url, "http://") == 0)
      Print("Tickplane: the address is not https, so the token travels unencrypted.");
   if(StringSubstr(url, StringLen(url) - 1) == "/")
      url = StringSubstr(url, 0, StringLen(url) - 1);
   g_endpoint = url + "/api/v1/accounts/" + id + "/state";
   g_headers = "Content-Type: application/json\r\nAuthorization: Bearer " + token + "\r\n";
   Forget();
   if(!EventSetMillisecondTimer(InpTimerMs))
     {
      Print("Tickplane: no timer, error ", GetLastError());
      return(INIT_FAILED);
     }
   Print("Tickplane: pushing to ", g_endpoint);
   return(INIT_SUCCEEDED);
  }

void OnDeinit(const int reason)
  {
   EventKillTimer();
  }

//--- A terminal keeps these between two starts of an Expert Advisor on one chart.
void Forget()
  {
   g_dirty = true;
   g_taken = "";
   g_taken_at = 0;
   g_refreshed_at = 0;
   g_history_from = 0;
   g_positions_total = 0;
   g_orders_total = 0;
   ArrayResize(g_orders, 0);
   g_waits = 0;
   g_connected_at = 0;
   g_told_connected = false;
   g_ever_connected = false;
   g_failures = 0;
   g_still_until = 0;
   g_complaint = "";
   g_record_full = false;
   MathSrand((int)(GetTickCount64() % 32767));
  }

//+------------------------------------------------------------------+
//| Events. WebRequest blocks, so here nothing is sent               |
//+------------------------------------------------------------------+
void OnTradeTransaction(const MqlTradeTransaction &trans,
                        const MqlTradeRequest &request,
                        const MqlTradeResult &result)
  {
   g_dirty = true;
  }

void OnTrade()
  {
   g_dirty = true;
  }

void OnTick()
  {
  }

void OnTimer()
  {
   ulong now = GetTickCount64();
   bool connected = Settled(now);
   g_ever_connected = g_ever_connected || connected;
   if(now < g_still_until)
      return;
   if(AccountInfoInteger(ACCOUNT_LOGIN) <= 0 || AccountInfoString(ACCOUNT_SERVER) == "")
      return;
   //--- Before the first connection the lists are empty, which would be told as if all was closed.
   if(!g_ever_connected)
      return;
   if(connected != g_told_connected || g_taken == "")
      g_dirty = true;
   if(connected && !g_dirty && OrdersOrPositionsDiffer())
      g_dirty = true;
   bool heartbeat = (now - g_taken_at >= (ulong)InpHeartbeatSeconds * 1000);
   bool refresh = (now - g_refreshed_at >= (ulong)InpRefreshSeconds * 1000);
   if(!g_dirty && !heartbeat && !refresh)
      return;
   if(g_dirty && connected && g_waits < MOST_WAITS && !OutcomesKnown())
     {
      g_waits++;
      return;
     }
   g_refreshed_at = now;
   Push(now, connected, heartbeat);
  }

//+------------------------------------------------------------------+
//| When to push                                                     |
//+------------------------------------------------------------------+

//--- Connected, and long enough for the lists to have arrived.
bool Settled(const ulong now)
  {
   if(TerminalInfoInteger(TERMINAL_CONNECTED) == 0)
     {
      g_connected_at = 0;
      return(false);
     }
   if(g_connected_at == 0)
      g_connected_at = now;
   return(now - g_connected_at >= (ulong)InpSettleSeconds * 1000);
  }

//--- Transactions can be displaced when many come at once, so the lists are looked at too.
bool OrdersOrPositionsDiffer()
  {
   return(g_positions_total != PositionsTotal() || g_orders_total != OrdersTotal());
  }

//--- Whether the history already says how each order ended that is no longer pending.
bool OutcomesKnown()
  {
   int count = ArraySize(g_orders);
   for(int i = 0; i < count; i++)
     {
      if(!OrderSelect(g_orders[i]) && !HistoryOrderSelect(g_orders[i]))
         return(false);
     }
   return(true);
  }

//+------------------------------------------------------------------+
//| One push                                                         |
//+------------------------------------------------------------------+
void Push(const ulong now, const bool connected, const bool heartbeat)
  {
   bool traded = g_dirty;
   //--- Cleared before the lists are read: what happens meanwhile makes it dirty again.
   g_dirty = false;
   string state = "";
   int positions = PositionsTotal();
   int orders = OrdersTotal();
   if(!StateJson(connected, state))
     {
      //--- The lists moved while they were read; the next timer event reads them again.
      g_dirty = true;
      return;
     }
   if(!traded && !heartbeat && state == g_taken)
      return;
   ulong pending[];
   PendingOrders(pending);
   datetime asked = TimeTradeServer();
   string body = "{\"v\":1," + state;
   if(traded && connected)
      body += "," + Field("history_orders", HistoryOrdersJson(asked)) + "," + Field("deals", DealsJson());
   body += "}";
   Record(body);
   if(!Sent(now, body))
     {
      g_dirty = g_dirty || traded;
      return;
     }
   g_taken = state;
   g_taken_at = now;
   g_told_connected = connected;
   g_waits = 0;
   g_positions_total = positions;
   g_orders_total = orders;
   if(connected)
     {
      ArrayResize(g_orders, ArraySize(pending));
      for(int i = 0; i < ArraySize(pending); i++)
         g_orders[i] = pending[i];
      if(traded)
         g_history_from = asked;
     }
  }

void PendingOrders(ulong &tickets[])
  {
   int total = OrdersTotal();
   ArrayResize(tickets, total);
   for(int i = 0; i < total; i++)
      tickets[i] = OrderGetTicket(i);
  }

//--- Whether the server took it; if not, says why and keeps still for a while.
bool Sent(const ulong now, const string body)
  {
   char data[];
   char answer[];
   string answer_headers = "";
   //--- The last character is the string's end, which is no JSON.
   int length = StringToCharArray(body, data, 0, WHOLE_ARRAY, CP_UTF8) - 1;
   ArrayResize(data, length);
   ResetLastError();
   int status = WebRequest("POST", g_endpoint, g_headers, InpTimeoutMs, data, answer, answer_headers);
   if(status >= 200 && status < 300)
     {
      if(g_failures > 0)
         Print("Tickplane: pushing again");
      g_failures = 0;
      g_still_until = 0;
      g_complaint = "";
      return(true);
     }
   int error = GetLastError();
   string said = CharArrayToString(answer, 0, WHOLE_ARRAY, CP_UTF8);
   Complain(Reason(status, error, said));
   g_failures++;
   g_still_until = GetTickCount64() + Backoff(status, error);
   return(false);
  }

string Reason(const int status, const int error, const string said)
  {
   if(status < 0 && error == 4014)
      return("WebRequest is not allowed. Add " + Trimmed(InpUrl) +
             " under Tools > Options > Expert Advisors > Allow WebRequest for listed URL.");
   if(status < 0)
      return("no answer from " + g_endpoint + ", error " + IntegerToString(error));
   string what = "HTTP " + IntegerToString(status) + " " + StringSubstr(said, 0, 300);
   if(status == 401)
      return("the token is unknown or was revoked. Make another one in the admin. " + what);
   if(status == 403)
      return("the token is not for this account. Compare InpAccountId and InpToken. " + what);
   if(status == 404)
      return("nothing there. Compare InpUrl and InpAccountId. " + what);
   if(status == 409)
      return("the account is declared otherwise: server, login or provider differ. " + what);
   if(status == 400)
      return("the state was refused. " + what);
   return("not taken. " + what);
  }

//--- Said when it is new, and again once in a while.
void Complain(const string reason)
  {
   if(reason == g_complaint && g_failures % 60 != 0)
      return;
   g_complaint = reason;
   Print("Tickplane: ", reason);
  }

//--- Twice as long after each failure, and never the same for two terminals.
ulong Backoff(const int status, const int error)
  {
   int longest = FIRST_BACKOFF_MS;
   for(int i = 1; i < g_failures && longest < LONGEST_BACKOFF_MS; i++)
      longest *= 2;
   bool people_must_act = (error == 4014 && status < 0) || (status >= 400 && status < 500 && status != 429);
   if(people_must_act || longest > LONGEST_BACKOFF_MS)
      longest = people_must_act ? LONGEST_BACKOFF_MS / 4 : LONGEST_BACKOFF_MS;
   return((ulong)(longest / 2 + (int)((double)longest / 2.0 * MathRand() / 32767.0)));
  }

//+------------------------------------------------------------------+
//| The body. Names and enumerations are MetaTrader's own            |
//+------------------------------------------------------------------+

//--- The part of the body that a heartbeat repeats. False: the lists moved while they were read.
bool StateJson(const bool connected, string &json)
  {
   string positions = "";
   string orders = "";
   if(!PositionsJson(positions) || !OrdersJson(orders))
      return(false);
   json = Field("server_utc_offset", IntegerToString(ServerUtcOffset()))
          + "," + Field("terminal", TerminalJson(connected))
          + "," + Field("account", AccountJson())
          + "," + Field("positions", positions)
          + "," + Field("orders", orders);
   return(true);
  }

//--- The broker's clock less UTC. Clocks differ by whole quarters of an hour; the rest is delay.
long ServerUtcOffset()
  {
   double seconds = (double)((long)TimeTradeServer() - (long)TimeGMT());
   return((long)MathRound(seconds / 900.0) * 900);
  }

string TerminalJson(const bool connected)
  {
   return("{" + Field("connected", Flag(connected))
          + "," + Field("build", IntegerToString(TerminalInfoInteger(TERMINAL_BUILD)))
          + "}");
  }

string AccountJson()
  {
   int digits = MoneyDigits();
   return("{" + Field("login", IntegerToString(AccountInfoInteger(ACCOUNT_LOGIN)))
          + "," + Field("server", Quoted(AccountInfoString(ACCOUNT_SERVER)))
          + "," + Field("currency", Quoted(AccountInfoString(ACCOUNT_CURRENCY)))
          + "," + Field("currency_digits", IntegerToString(digits))
          + "," + Field("leverage", IntegerToString(AccountInfoInteger(ACCOUNT_LEVERAGE)))
          + "," + Field("trade_mode", IntegerToString(AccountInfoInteger(ACCOUNT_TRADE_MODE)))
          + "," + Field("margin_mode", IntegerToString(AccountInfoInteger(ACCOUNT_MARGIN_MODE)))
          + "," + Field("trade_allowed", Flag(AccountInfoInteger(ACCOUNT_TRADE_ALLOWED) != 0))
          + "," + Field("balance", Number(AccountInfoDouble(ACCOUNT_BALANCE), digits))
          + "," + Field("credit", Number(AccountInfoDouble(ACCOUNT_CREDIT), digits))
          + "," + Field("profit", Number(AccountInfoDouble(ACCOUNT_PROFIT), digits))
          + "," + Field("equity", Number(AccountInfoDouble(ACCOUNT_EQUITY), digits))
          + "," + Field("margin", Number(AccountInfoDouble(ACCOUNT_MARGIN), digits))
          + "," + Field("margin_free", Number(AccountInfoDouble(ACCOUNT_MARGIN_FREE), digits))
          + "," + Field("margin_level", Number(AccountInfoDouble(ACCOUNT_MARGIN_LEVEL), 2))
          + "}");
  }

bool PositionsJson(string &json)
  {
   int total = PositionsTotal();
   json = "[";
   for(int i = 0; i < total; i++)
     {
      //--- This also selects the position.
      ulong ticket = PositionGetTicket(i);
      if(ticket == 0)
         return(false);
      if(i > 0)
         json += ",";
      json += PositionJson(ticket);
     }
   json += "]";
   return(total == PositionsTotal());
  }

string PositionJson(const ulong ticket)
  {
   string symbol = PositionGetString(POSITION_SYMBOL);
   int digits = (int)SymbolInfoInteger(symbol, SYMBOL_DIGITS);
   int money = MoneyDigits();
   return("{" + Field("ticket", Unsigned(ticket))
          + "," + Field("identifier", IntegerToString(PositionGetInteger(POSITION_IDENTIFIER)))
          + "," + Field("time", IntegerToString(PositionGetInteger(POSITION_TIME)))
          + "," + Field("time_msc", IntegerToString(PositionGetInteger(POSITION_TIME_MSC)))
          + "," + Field("type", IntegerToString(PositionGetInteger(POSITION_TYPE)))
          + "," + Field("magic", IntegerToString(PositionGetInteger(POSITION_MAGIC)))
          + "," + Field("volume", Exact(PositionGetDouble(POSITION_VOLUME), VolumeDigits(symbol)))
          + "," + Field("price_open", Exact(PositionGetDouble(POSITION_PRICE_OPEN), digits))
          + "," + Field("sl", Exact(PositionGetDouble(POSITION_SL), digits))
          + "," + Field("tp", Exact(PositionGetDouble(POSITION_TP), digits))
          + "," + Field("price_current", Exact(PositionGetDouble(POSITION_PRICE_CURRENT), digits))
          + "," + Field("swap", Number(PositionGetDouble(POSITION_SWAP), money))
          + "," + Field("profit", Number(PositionGetDouble(POSITION_PROFIT), money))
          + "," + Field("symbol", Quoted(symbol))
          + "," + Field("comment", Quoted(PositionGetString(POSITION_COMMENT)))
          + "}");
  }

bool OrdersJson(string &json)
  {
   int total = OrdersTotal();
   json = "[";
   for(int i = 0; i < total; i++)
     {
      //--- This also selects the order.
      ulong ticket = OrderGetTicket(i);
      if(ticket == 0)
         return(false);
      if(i > 0)
         json += ",";
      json += OrderJson(ticket);
     }
   json += "]";
   return(total == OrdersTotal());
  }

string OrderJson(const ulong ticket)
  {
   string symbol = OrderGetString(ORDER_SYMBOL);
   int digits = (int)SymbolInfoInteger(symbol, SYMBOL_DIGITS);
   int volume_digits = VolumeDigits(symbol);
   return("{" + Field("ticket", Unsigned(ticket))
          + "," + Field("time_setup", IntegerToString(OrderGetInteger(ORDER_TIME_SETUP)))
          + "," + Field("time_setup_msc", IntegerToString(OrderGetInteger(ORDER_TIME_SETUP_MSC)))
          + "," + Field("time_expiration", IntegerToString(OrderGetInteger(ORDER_TIME_EXPIRATION)))
          + "," + Field("type", IntegerToString(OrderGetInteger(ORDER_TYPE)))
          + "," + Field("type_time", IntegerToString(OrderGetInteger(ORDER_TYPE_TIME)))
          + "," + Field("type_filling", IntegerToString(OrderGetInteger(ORDER_TYPE_FILLING)))
          + "," + Field("state", IntegerToString(OrderGetInteger(ORDER_STATE)))
          + "," + Field("magic", IntegerToString(OrderGetInteger(ORDER_MAGIC)))
          + "," + Field("volume_initial", Exact(OrderGetDouble(ORDER_VOLUME_INITIAL), volume_digits))
          + "," + Field("volume_current", Exact(OrderGetDouble(ORDER_VOLUME_CURRENT), volume_digits))
          + "," + Field("price_open", Exact(OrderGetDouble(ORDER_PRICE_OPEN), digits))
          + "," + Field("sl", Exact(OrderGetDouble(ORDER_SL), digits))
          + "," + Field("tp", Exact(OrderGetDouble(ORDER_TP), digits))
          + "," + Field("price_current", Exact(OrderGetDouble(ORDER_PRICE_CURRENT), digits))
          + "," + Field("price_stoplimit", Exact(OrderGetDouble(ORDER_PRICE_STOPLIMIT), digits))
          + "," + Field("symbol", Quoted(symbol))
          + "," + Field("comment", Quoted(OrderGetString(ORDER_COMMENT)))
          + "}");
  }

//--- How orders ended since the last push that told it, oldest first.
string HistoryOrdersJson(const datetime asked)
  {
   datetime from = asked - ((g_history_from == 0) ? FIRST_HISTORY_S : HISTORY_S);
   if(g_history_from > 0 && g_history_from - 60 < from)
      from = g_history_from - 60;
   //--- A day ahead, because nothing newer must be cut off by a clock that is late.
   if(!HistorySelect(from, asked + 86400))
      return("[]");
   int total = HistoryOrdersTotal();
   int first = (total > MOST_HISTORY_ORDERS) ? total - MOST_HISTORY_ORDERS : 0;
   string json = "";
   for(int i = first; i < total; i++)
     {
      ulong ticket = HistoryOrderGetTicket(i);
      if(ticket == 0)
         continue;
      if(json != "")
         json += ",";
      json += HistoryOrderJson(ticket);
     }
   return("[" + json + "]");
  }

string HistoryOrderJson(const ulong ticket)
  {
   return("{" + Field("ticket", Unsigned(ticket))
          + "," + Field("state", IntegerToString(HistoryOrderGetInteger(ticket, ORDER_STATE)))
          + "," + Field("reason", IntegerToString(HistoryOrderGetInteger(ticket, ORDER_REASON)))
          + "," + Field("position_id", IntegerToString(HistoryOrderGetInteger(ticket, ORDER_POSITION_ID)))
          + "}");
  }

//--- The deals of the open positions; those of one position are all there or none.
string DealsJson()
  {
   string json = "";
   int count = 0;
   int positions = PositionsTotal();
   for(int i = 0; i < positions; i++)
     {
      if(PositionGetTicket(i) == 0)
         continue;
      if(!HistorySelectByPosition(PositionGetInteger(POSITION_IDENTIFIER)))
         continue;
      int total = HistoryDealsTotal();
      if(count + total > MOST_DEALS)
         continue;
      for(int j = 0; j < total; j++)
        {
         ulong ticket = HistoryDealGetTicket(j);
         if(ticket == 0)
            continue;
         if(json != "")
            json += ",";
         json += DealJson(ticket);
         count++;
        }
     }
   return("[" + json + "]");
  }

string DealJson(const ulong ticket)
  {
   int money = MoneyDigits();
   return("{" + Field("ticket", Unsigned(ticket))
          + "," + Field("order", IntegerToString(HistoryDealGetInteger(ticket, DEAL_ORDER)))
          + "," + Field("entry", IntegerToString(HistoryDealGetInteger(ticket, DEAL_ENTRY)))
          + "," + Field("position_id", IntegerToString(HistoryDealGetInteger(ticket, DEAL_POSITION_ID)))
          + "," + Field("commission", Number(HistoryDealGetDouble(ticket, DEAL_COMMISSION), money))
          + "," + Field("fee", Number(HistoryDealGetDouble(ticket, DEAL_FEE), money))
          + "}");
  }

//+------------------------------------------------------------------+
//| JSON                                                             |
//+------------------------------------------------------------------+
string Field(const string key, const string value)
  {
   return("\"" + key + "\":" + value);
  }

string Flag(const bool on)
  {
   return(on ? "true" : "false");
  }

string Unsigned(const ulong number)
  {
   return(StringFormat("%I64u", number));
  }

string Number(const double value, const int digits)
  {
   //--- JSON has no NaN and no infinity.
   if(!MathIsValidNumber(value))
      return("0");
   return(DoubleToString(value, digits));
  }

//--- With these digits, or as many more as it takes: an average price has more than its symbol.
string Exact(const double value, const int digits)
  {
   if(!MathIsValidNumber(value))
      return("0");
   int enough = digits;
   while(enough < MOST_DIGITS && MathAbs(value - NormalizeDouble(value, enough)) > 0.000000001)
      enough++;
   return(DoubleToString(value, enough));
  }

int MoneyDigits()
  {
   return((int)AccountInfoInteger(ACCOUNT_CURRENCY_DIGITS));
  }

int VolumeDigits(const string symbol)
  {
   double step = SymbolInfoDouble(symbol, SYMBOL_VOLUME_STEP);
   int digits = 0;
   while(digits < MOST_DIGITS && MathAbs(step - NormalizeDouble(step, digits)) > 0.000000001)
      digits++;
   return(digits);
  }

//--- As a JSON string in ASCII, whatever the terminal's alphabet.
string Quoted(const string text)
  {
   string json = "\"";
   int length = StringLen(text);
   for(int i = 0; i < length; i++)
     {
      ushort c = StringGetCharacter(text, i);
      if(c == '\"' || c == '\\')
         json += "\\" + ShortToString(c);
      else
         if(c >= 32 && c < 127)
            json += ShortToString(c);
         else
            if(c >= 0xD800 && c < 0xDC00 && i + 1 < length && IsLowSurrogate(StringGetCharacter(text, i + 1)))
              {
               json += Escaped(c) + Escaped(StringGetCharacter(text, i + 1));
               i++;
              }
            else
               //--- Half a character, where a comment was cut off, is no JSON.
               json += (c >= 0xD800 && c < 0xE000) ? "\\ufffd" : Escaped(c);
     }
   return(json + "\"");
  }

bool IsLowSurrogate(const ushort c)
  {
   return(c >= 0xDC00 && c < 0xE000);
  }

string Escaped(const ushort c)
  {
   return("\\u" + StringFormat("%04x", c));
  }

string Trimmed(const string text)
  {
   string trimmed = text;
   StringTrimLeft(trimmed);
   StringTrimRight(trimmed);
   return(trimmed);
  }

//+------------------------------------------------------------------+
//| Recorded sessions: the bodies, one a line, with their time       |
//+------------------------------------------------------------------+
void Record(const string body)
  {
   if(InpRecordFile == "" || g_record_full)
      return;
   int file = FileOpen(InpRecordFile, FILE_READ | FILE_WRITE | FILE_BIN | FILE_SHARE_READ);
   if(file == INVALID_HANDLE)
     {
      Complain("cannot record to " + InpRecordFile + ", error " + IntegerToString(GetLastError()));
      return;
     }
   if(FileSize(file) > MOST_RECORD_BYTES)
     {
      g_record_full = true;
      Print("Tickplane: ", InpRecordFile, " is full; nothing more is recorded");
     }
   else
     {
      string line = "{" + Field("at", Quoted(UtcNow())) + "," + StringSubstr(body, 1) + "\n";
      uchar data[];
      int length = StringToCharArray(line, data, 0, WHOLE_ARRAY, CP_UTF8) - 1;
      FileSeek(file, 0, SEEK_END);
      FileWriteArray(file, data, 0, length);
     }
   FileClose(file);
  }

string UtcNow()
  {
   MqlDateTime t;
   TimeToStruct(TimeGMT(), t);
   return(StringFormat("%04d-%02d-%02dT%02d:%02d:%02dZ", t.year, t.mon, t.day, t.hour, t.min, t.sec));
  }
//+------------------------------------------------------------------+
