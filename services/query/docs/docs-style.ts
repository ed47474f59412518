/** The look of the reference page: system fonts, one accent, light and dark by the reader's setting. */
export const DOCS_STYLE = `
:root{--paper:#fcfcfb;--ink:#1d2126;--soft:#5d6670;--line:#e4e5e3;--panel:#f4f4f1;--accent:#0f5f8f;--get:#1d6b45;--post:#8a5a00;--put:#5c4a9c;--delete:#a5322c}
@media (prefers-color-scheme:dark){:root{--paper:#15181b;--ink:#e3e6e8;--soft:#97a1aa;--line:#2b3035;--panel:#1c2024;--accent:#7cc0ea;--get:#74c79b;--post:#e0b457;--put:#b3a3ee;--delete:#ee8b84}}
*{box-sizing:border-box}
html{scroll-padding-top:1.5rem}
body{margin:0;display:grid;grid-template-columns:17rem minmax(0,1fr);background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
nav{position:sticky;top:0;height:100vh;overflow-y:auto;padding:1.5rem 1rem 3rem 1.5rem;border-right:1px solid var(--line);font-size:.82rem;line-height:1.45}
nav .home{display:block;margin-bottom:1rem;color:var(--ink);font-size:1.05rem;font-weight:650}
nav summary{margin:.7rem 0 .2rem;color:var(--soft);cursor:pointer;font-weight:600}
nav ul{margin:0;padding:0;list-style:none}
nav li a{display:flex;align-items:baseline;padding:.12rem 0;color:var(--ink);overflow-wrap:anywhere}
nav b{flex:0 0 2.9rem;font-size:.68rem;font-weight:650;text-transform:uppercase}
main{max-width:58rem;padding:2.5rem clamp(1rem,4vw,3.5rem) 6rem}
a{color:var(--accent);text-decoration:none}a:hover,a:focus-visible{text-decoration:underline}
h1{margin:0 0 .6rem;font-size:2rem;line-height:1.2;font-weight:650;letter-spacing:-.015em}
h2{margin:3.5rem 0 .5rem;font-size:1.4rem;font-weight:650;letter-spacing:-.01em}
h3{margin:0 0 .3rem;font-size:1rem;font-weight:600;overflow-wrap:anywhere}
h3 code{padding:0;background:none;font-size:.98rem}h3 i{color:var(--soft);font-style:normal}
p{margin:.4rem 0}.summary{font-weight:550}p:empty{display:none}
section{padding:1.6rem 0;border-top:1px solid var(--line)}
code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,monospace;font-size:.86em}
code{padding:.08em .3em;border-radius:4px;background:var(--panel)}
pre{margin:.8rem 0;padding:.9rem 1rem;overflow-x:auto;border:1px solid var(--line);border-radius:8px;background:var(--panel);line-height:1.5}
.wide{overflow-x:auto;margin:.8rem 0}
table{width:100%;border-collapse:collapse;font-size:.88rem}
th{padding:.35rem .9rem .35rem 0;border-bottom:1px solid var(--line);color:var(--soft);font-weight:600;text-align:left}
td{padding:.4rem .9rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
td:first-child{min-width:9rem}td:nth-child(2){min-width:7rem;color:var(--soft)}
small{color:var(--soft)}
main details summary{color:var(--accent);cursor:pointer;font-size:.88rem}
.method{display:inline-block;padding:.05rem .5rem;border:1px solid currentColor;border-radius:5px;font-size:.72rem;font-weight:650;letter-spacing:.03em}
.get{color:var(--get)}.post{color:var(--post)}.put{color:var(--put)}.delete{color:var(--delete)}
.status{font-weight:600}.s2{color:var(--get)}.s4{color:var(--post)}.s5{color:var(--delete)}
@media (max-width:52rem){body{display:block}nav{position:static;height:auto;border-right:0;border-bottom:1px solid var(--line)}nav details:not([open]) ul{display:none}}
@media print{nav{display:none}body{display:block}}
`
