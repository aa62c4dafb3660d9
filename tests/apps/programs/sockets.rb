# Ruby's servers and clients: ruby sockets.rb MODE PORT [ARGUMENT…]. A client ends with status 1 where an answer is wrong.
require 'socket'
require 'net/http'
require 'securerandom'
require 'timeout'

HOST = '127.0.0.1'
MODE, PORT = ARGV[0], ARGV[1].to_i
PATIENCE = 20

def check(right, what)
  abort what unless right
end

def http_server
  require 'webrick'
  log = WEBrick::Log.new($stderr, WEBrick::Log::WARN)
  server = WEBrick::HTTPServer.new(BindAddress: HOST, Port: PORT, Logger: log, AccessLog: [])
  server.mount_proc('/') do |request, answer|
    answer.body = request.body || "hello #{request.path}"
  end
  trap('TERM') { server.shutdown }
  server.start
end

# One connection for all, and then parallel ones.
def http_client
  Net::HTTP.start(HOST, PORT, read_timeout: PATIENCE, max_retries: 0) do |http|
    30.times { |i| check http.get("/#{i}").body == "hello /#{i}", "answer #{i}" }
    body = SecureRandom.bytes(2 << 20)
    check http.post('/', body, 'Content-Type' => 'application/octet-stream').body == body, '2 MiB there and back'
  end
  8.times.map do |i|
    Thread.new { 5.times { |j| check Net::HTTP.get(HOST, "/#{i}-#{j}", PORT) == "hello /#{i}-#{j}", "parallel answer #{i} #{j}" } }
  end.each(&:join)
end

def threads_server
  Socket.tcp_server_loop(HOST, PORT) do |client, _|
    Thread.new do
      IO.copy_stream(client, client)
    ensure
      client.close
    end
  end
end

def echoes(size, count)
  count.times.map do
    Thread.new do
      data = SecureRandom.bytes(size)
      TCPSocket.open(HOST, PORT) do |socket|
        writer = Thread.new { socket.write(data); socket.close_write }
        check socket.read == data, 'an echo differs'
        writer.join
      end
    end
  end.each(&:join)
end

def threads_client
  echoes(ARGV[2].to_i, ARGV[3].to_i)
end

# IO.select and the calls that do not wait, for each of many at once.
def select_client
  open = ARGV[3].to_i.times.to_h do
    socket = Socket.new(:INET, :STREAM)
    begin
      socket.connect_nonblock(Addrinfo.tcp(HOST, PORT))
    rescue IO::WaitWritable
    end
    data = SecureRandom.bytes(ARGV[2].to_i)
    [socket, { data: data, left: data, got: +'' }]
  end
  until open.empty?
    readable, writable = IO.select(open.keys, open.select { |_, talk| talk[:left] }.keys, nil, PATIENCE)
    check readable, 'nothing became ready'
    writable.each do |socket|
      talk = open[socket]
      n = socket.write_nonblock(talk[:left], exception: false)
      next if n == :wait_writable
      talk[:left] = talk[:left].byteslice(n..)
      (talk[:left] = nil) || socket.close_write if talk[:left].empty?
    end
    readable.each do |socket|
      case part = socket.read_nonblock(10_000, exception: false)
      when :wait_readable then next
      when nil
        check open.delete(socket).then { |talk| talk[:data] == talk[:got] }, 'an echo differs'
        socket.close
      else open[socket][:got] << part
      end
    end
  end
end

# Lines through the buffer of IO, ungetbyte, a time-out, and bytes that recv only looks at.
def lines_client
  TCPSocket.open(HOST, PORT) do |socket|
    socket.puts 'one', 'two'
    check socket.gets == "one\n" && socket.gets == "two\n", 'two lines'
    begin
      Timeout.timeout(0.2) { socket.gets }
      abort 'a line that nobody sent'
    rescue Timeout::Error
    end
    check `echo from a shell`.chomp == 'from a shell', 'a program that is started meanwhile'
    socket.write 'still here'
    socket.flush
    check socket.recv(5, Socket::MSG_PEEK) == 'still', 'a look'
    check socket.readpartial(100) == 'still here', 'after a look'
    socket.close_write
    check socket.read == '', 'the end'
  end
end

# A process a connection: the parent closes its copy, the child talks.
def forks_server
  server = TCPServer.new(HOST, PORT)
  trap('CHLD') { Process.wait(-1, Process::WNOHANG) rescue nil }
  loop do
    client = server.accept
    fork do
      server.close
      while (part = client.readpartial(65_536) rescue nil)
        client.write part
      end
      client.close
      exit!
    end
    client.close
  end
end

send MODE.tr('-', '_')
