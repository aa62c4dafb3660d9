// .NET's sockets by Mono, whose threads wait in an epoll of its own: sockets.exe server|client PORT.
using System;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks;

class Sockets
{
    static int port;

    static void Check(bool right, string what)
    {
        if (right)
            return;
        Console.Error.WriteLine(what);
        Environment.Exit(1);
    }

    static async Task Serve()
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start(64);
        for (;;)
        {
            var talk = Talk(await listener.AcceptTcpClientAsync());
        }
    }

    static async Task Talk(TcpClient client)
    {
        using (client)
        {
            var part = new byte[50000];
            int n;
            while ((n = await client.GetStream().ReadAsync(part, 0, part.Length)) > 0)
                await client.GetStream().WriteAsync(part, 0, n);
        }
    }

    // One task writes and ends its side while another reads.
    static async Task Echo(int size)
    {
        var data = new byte[size];
        new Random().NextBytes(data);
        using (var client = new TcpClient())
        {
            await client.ConnectAsync(IPAddress.Loopback, port);
            var stream = client.GetStream();
            var writer = Task.Run(async () =>
            {
                await stream.WriteAsync(data, 0, size);
                client.Client.Shutdown(SocketShutdown.Send);
            });
            var got = new MemoryStream();
            await stream.CopyToAsync(got);
            await writer;
            Check(got.ToArray().SequenceEqual(data), got.Length + " of " + size + " bytes came back, or they differ");
        }
    }

    static void TimesOut()
    {
        using (var client = new TcpClient("127.0.0.1", port))
        {
            client.ReceiveTimeout = 200;
            try
            {
                client.GetStream().ReadByte();
                Check(false, "a byte that nobody sent");
            }
            catch (IOException)
            {
            }
            client.ReceiveTimeout = 15000;
            client.GetStream().Write(new byte[] { 42 }, 0, 1);
            Check(client.GetStream().ReadByte() == 42, "after a time-out");
        }
    }

    static async Task Ask()
    {
        await Task.WhenAll(new[] { 10, 100000, 3000000, 77777 }.Select(Echo));
        for (var i = 0; i < 20; i++)
            await Echo(1000 + i);
        TimesOut();
    }

    static void Main(string[] arguments)
    {
        port = int.Parse(arguments[1]);
        (arguments[0] == "server" ? Serve() : Ask()).Wait();
    }
}
